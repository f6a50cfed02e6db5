import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.reasons import CostReason, FieldCode, HoldCode, StandsCode
from producer.sentences import asked, cost_reason, escalation, field_check, held, hold_category
from worker.llm.engine import CONCERN, Concern, Trouble

ABOUT = {"model": "acme/x", "spent_usd": "1.500", "budget_usd": "2", "message": "key refused"}


def is_a_sentence(text: str) -> bool:
    return len(text.split()) > 3 and not any(code in text for code in CODES)


CODES = [code for code in (*CostReason, *HoldCode) if "_" in code]


@pytest.mark.parametrize("reason", CostReason)
def test_every_reason_of_an_unknown_cost_has_a_sentence(reason):
    assert is_a_sentence(cost_reason(f"{reason} acme/x"))
    if reason is not CostReason.NO_PRICE:
        assert cost_reason(reason) == cost_reason(f"{reason} acme/x")


@pytest.mark.parametrize("code", HoldCode)
@pytest.mark.parametrize("about", [ABOUT, {"message": "key refused"}])
def test_every_hold_has_a_sentence_that_says_what_lets_its_jobs_go_on(code, about):
    said = held(code, about, 7)
    assert is_a_sentence(said)
    assert "None" not in said
    assert "`docmill resume 7" in said or "goes on by itself" in said


def test_no_two_holds_are_said_in_the_same_words():
    assert len({held(code, ABOUT, 7) for code in HoldCode}) == len(HoldCode)
    assert len({cost_reason(reason) for reason in CostReason}) == len(CostReason)


@pytest.mark.parametrize("code", FieldCode)
def test_every_code_of_a_value_has_one_plain_sentence(code):
    for about in ("Total {x}: 5", None):
        said = field_check({"code": code, "about": about})
        assert len(said.split()) > 3
        assert said.endswith(".")
        assert "None" not in said


def test_no_two_codes_of_a_value_are_said_in_the_same_words():
    assert len({field_check({"code": code}) for code in FieldCode}) == len(FieldCode)


def test_a_score_and_what_became_of_a_value_follow_the_sentence():
    check = {"code": FieldCode.LABELLED, "about": "Total:"}
    plain = field_check({**check, "confidence": None, "accepted": None})
    assert plain == field_check(check)
    assert field_check({**check, "confidence": 0.934}) == f"{plain} Likely right: 93%."
    assert field_check({**check, "accepted": True}) == f"{plain} Accepted."
    scored = {**check, "confidence": 0.5, "accepted": False}
    assert field_check(scored) == f"{plain} Likely right: 50%. For review."


def test_a_code_that_is_not_known_here_is_said_as_it_is():
    assert field_check({"code": "of_a_later_version", "about": "x"}) == "of_a_later_version"


def test_an_answer_that_stands_says_why_and_one_that_went_on_from_where():
    said = {escalation(f"{code}: fields: total", "small") for code in StandsCode}
    assert len(said) == len(StandsCode)
    assert {one.partition(",")[0] for one in said} == {"Not read a second time"}
    assert escalation("timeout: none", "small") == "Escalated from small: timeout: none"
    assert escalation("not sure: x", None) == "Began at the frontier: not sure: x"


def test_a_model_without_a_price_is_named_with_the_key_that_sets_one():
    assert cost_reason("no_price acme/x") == (
        'no price is known for acme/x: [prices."acme/x"] in docmill.toml sets one for later calls'
    )


@pytest.mark.parametrize(
    ("said", "shown"), [(None, "no reason given"), ("", "no reason given"), ("why not", "why not")]
)
def test_what_is_no_code_is_shown_as_it_is(said, shown):
    assert cost_reason(said) == shown


@pytest.mark.parametrize("code", [HoldCode.BUDGET, HoldCode.BUDGET_UNDER_WAY])
def test_a_budget_says_how_much_of_it_is_spent_where_that_is_known(code):
    assert "the budget of $2 does not cover the next frontier job ($1.5 spent)" in (
        held(code, ABOUT, 7)
    )
    assert held(code, {}, 7).startswith("the budget does not cover the next frontier job")


@pytest.mark.parametrize("code", [HoldCode.DAY_BUDGET, HoldCode.NO_PRICE])
def test_what_is_mended_in_docmill_toml_is_applied_before_it_is_resumed(code):
    """Workers go by the configuration in Postgres."""
    said = held(code, ABOUT, 7)
    assert "docmill.toml" in said
    assert "`docmill config apply` and `docmill resume 7`" in said


@pytest.mark.parametrize("trouble", [t for t in Trouble if CONCERN[t] is Concern.ENGINE])
def test_an_engine_that_nobody_can_ask_says_its_own_words_and_what_to_do(trouble):
    said = held(HoldCode.ENGINE, {"trouble": str(trouble), "message": "401 at gateway"}, 7)
    assert said.startswith("401 at gateway; ")
    assert said.endswith("then `docmill resume 7`")


def test_a_model_that_an_ollama_lacks_needs_no_resume_once_it_is_there():
    lacks = "the Ollama at gpu:11434 lacks m: run `ollama pull m` there"
    said = held(HoldCode.ENGINE, {"trouble": "model_not_found", "message": lacks}, 7)
    assert said == f"{lacks}; it goes on by itself"


@pytest.mark.parametrize(
    ("code", "about", "category"),
    [
        (HoldCode.ENGINE, {"trouble": "auth"}, "auth"),
        (HoldCode.ENGINE, {}, "engine"),
        (HoldCode.BUDGET, ABOUT, "budget"),
    ],
)
def test_a_hold_goes_by_its_engines_trouble_or_by_its_own_code(code, about, category):
    assert hold_category(code, about) == category


@given(st.decimals(0, 10**9, places=10))
def test_amounts_are_plain_numbers_however_large_or_small(amount):
    said = held(HoldCode.BUDGET, {"budget_usd": str(amount), "spent_usd": amount}, 7)
    assert "E" not in said.replace("USD", "")
    assert "of $" in said


def test_a_code_of_a_newer_docmill_is_shown_rather_than_stumbled_over():
    assert held("moon", {}, 7) == "moon"


@pytest.mark.parametrize(
    ("examples", "said"),
    [
        (None, "Asked with prompt extraction/2, as instruct models are."),
        ({"shown": []}, "are. Its examples: none of the ask's own."),
        (
            {"shown": [1, 3], "leaks": [2]},
            "Its examples: 1, 3 of the ask's own. Left out, since they give its answer away: 2.",
        ),
        (
            {"gold": "bills", "shown": [71], "no_room": [5]},
            "Its examples: 71 rows of gold set bills. Left out for lack of room: 5.",
        ),
    ],
)
def test_how_a_model_was_asked(examples, said):
    prompt = {"version": "extraction/2", "profile": "instruct"}
    more = {} if examples is None else {"examples": examples}
    assert asked({**prompt, **more}).endswith(said)
