"""Reasons as people read them: the database holds codes, and here they become sentences."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from shlex import quote
from typing import Any

from models.reasons import CostReason, FieldCode, HoldCode, StandsCode
from models.states import BulkState, DocumentState

COSTS = {
    CostReason.NO_TOKENS: "the provider reported no tokens",
    CostReason.NO_MACHINE_PRICE: "usd_per_hour of its engine is not set in docmill.toml",
    CostReason.NO_ENGINE_TIME: "the engine did not report its time",
    CostReason.STAND_IN: "stand-in: no frontier model was asked",
    CostReason.LOST: "upper bound: the answer never arrived",
    CostReason.LOST_UNKNOWN: "the answer never arrived and the price is not known",
}


FIELDS = {
    FieldCode.LABELLED: "It stands in the text beside “{about}”.",
    FieldCode.ONLY_ONE: "It stands in the text, which has no other value of its kind.",
    FieldCode.LETTERHEAD: "It stands at the head of the paper.",
    FieldCode.BLOCK: "It is the only address of the text, and whole.",
    FieldCode.ROW: "It stands in the text beside the other values of its item.",
    FieldCode.ABSENT: "Nothing was given, and the text has no value of the kind.",
    FieldCode.STEERED: "The text speaks to the model that reads it, so nothing of it is sure: "
    "“{about}”.",
    FieldCode.UNLABELLED: "It stands in the text, but nothing beside it says that it is the one.",
    FieldCode.CONFLICT: "Another value may be meant: “{about}”.",
    FieldCode.QUALIFIED: "In the text “{about}” stands beside it.",
    FieldCode.PART: "In the text it is a part of “{about}”.",
    FieldCode.AMBIGUOUS: "What stands in the text may be read in two ways: “{about}”.",
    FieldCode.UNIT_UNSAID: "The text has the number without this unit or currency: “{about}”.",
    FieldCode.MISREAD: "It stands in the text but for letters that scanners mix up.",
    FieldCode.NEAR: "Its words stand in the text, but not together as here.",
    FieldCode.COMPUTED: "It was worked out and does not stand in the text.",
    FieldCode.REWORDED: "It is in the model's own words, which no rule can look up.",
    FieldCode.MISSED: "Nothing was given, but the text has “{about}”.",
    FieldCode.UNCHECKABLE: "Your check cannot be made with it: “{about}”.",
    FieldCode.UNREADABLE: "It cannot be read as {about}, as your formats have it.",
    FieldCode.GAPS: "Lines of the text look like rows of this list and have none: “{about}”.",
    FieldCode.CUT_OFF: "The list may go on in the text, and ends here: “{about}”.",
    FieldCode.NOT_IN_TEXT: "It does not stand in the text.",
    FieldCode.NONE_IN_TEXT: "The text has no value of its kind at all.",
    FieldCode.SIGN: "The text has the number with the other sign: “{about}”.",
    FieldCode.SCALE: "The text has its digits as a number of another size: “{about}”.",
    FieldCode.UNIT: "The text has the number with another unit or currency: “{about}”.",
    FieldCode.DAY_MONTH: "The text has day and month the other way round: “{about}”.",
    FieldCode.OTHER_KIND: "It is a date, and something else was asked for.",
    FieldCode.OTHER_LABEL: "It stands beside another field's label: “{about}”.",
    FieldCode.EMPTY: "It holds neither a letter nor a digit.",
    FieldCode.FORM_WORDS: "It repeats the words of the form: “{about}”.",
    FieldCode.PLACEHOLDER: "“{about}” stands for no value: null was meant.",
    FieldCode.EXAMPLE: "It is copied from the example in the prompt.",
    FieldCode.MISSING: "It is required, and was left empty.",
    FieldCode.OWN_CHECK: "Your check does not hold: “{about}”.",
}
"""What the checks of a value say, by their code."""

STANDS = {
    StandsCode.SHARE_CAP: "as many of the batch's jobs as escalation.share allows were",
    StandsCode.COST_CAP: "escalation.cost_usd of the batch does not cover it",
    StandsCode.NO_PRICE: "escalation.cost_usd cannot be kept without a price of the next model",
    StandsCode.UNREAD: "the next engine had no answer",
}

ANOTHER_MODEL = "in docmill.toml, then `docmill config apply` and `docmill reroute {batch}`"

PULL = "`ollama pull "
"""What a message says that already tells how an Ollama gets a model: workers see when it has."""

ADVICE = {
    "quota": "top up the quota or credit",
    "auth": "give its workers the right API key and restart them",
    "misconfigured": "mend its address and restart its workers",
    "model_not_found": f"let it have the model, or name another one {ANOTHER_MODEL}",
    "model_unfit": f"name another model {ANOTHER_MODEL}",
    "no_memory": f"make room for the model, or name a smaller one {ANOTHER_MODEL}",
    "refuses_all": f"mend what it refuses {ANOTHER_MODEL}",
}
"""What to do about an engine's lasting trouble, by its code."""


def cost_reason(said: str | None) -> str:
    """Why the cost of calls is not known, and where docmill.toml can give a price, how."""
    if not said:
        return "no reason given"
    code, _, model = said.partition(" ")
    if code == CostReason.NO_PRICE:
        return (
            f'no price is known for {model}: [prices."{model}"] in docmill.toml sets one for '
            "later calls"
        )
    return COSTS.get(CostReason(code), code) if code in set(CostReason) else said


def field_check(check: Mapping[str, Any]) -> str:
    """What the checks of a value say, as one sentence; and what its score does, where it has one.
    `check`: one of an answer's `fields`."""
    sentence = FIELDS.get(check["code"], str(check["code"]))
    said = [sentence.format(about=check.get("about") or "nothing")]
    if check.get("confidence") is not None:
        said.append(f"Likely right: {check['confidence']:.0%}.")
    if check.get("accepted") is not None:
        said.append("Accepted." if check["accepted"] else "For review.")
    return " ".join(said)


def escalation(reason: str, escalated_from: str | None) -> str:
    """Why a job went where it went, or was not read a second time."""
    code, _, about = reason.partition(": ")
    if code in set(StandsCode):
        return f"Not read a second time, {STANDS[StandsCode(code)]}: {about}"
    return (
        f"Escalated from {escalated_from}: {reason}"
        if escalated_from
        else (f"Began at the frontier: {reason}")
    )


def asked(prompt: Mapping[str, Any]) -> str:
    """How an answer's model was asked: which prompt, which examples."""
    said = [f"Asked with prompt {prompt['version']}, as {prompt['profile']} models are."]
    examples = prompt.get("examples")
    if examples is None:
        return said[0]
    shown, gold = list(map(str, examples["shown"])), examples.get("gold")
    of = f"rows of gold set {gold}" if gold else "of the ask's own"
    said.append(f"Its examples: {', '.join(shown) or 'none'} {of}.")
    if leaks := examples.get("leaks"):
        said.append(f"Left out, since they give its answer away: {', '.join(map(str, leaks))}.")
    if no_room := examples.get("no_room"):
        said.append(f"Left out for lack of room: {', '.join(map(str, no_room))}.")
    return " ".join(said)


def held(code: str, about: Mapping[str, Any], batch: int) -> str:
    """Why jobs are held, and what lets them go on."""
    budget, spent = (
        _usd(about.get("budget_usd"), " of {}"),
        _usd(about.get("spent_usd"), " ({} spent)"),
    )
    match code:
        case HoldCode.BUDGET:
            return (
                f"the budget{budget} does not cover the next frontier job{spent}; "
                f"`docmill resume {batch} --max-cost USD` continues"
            )
        case HoldCode.BUDGET_UNDER_WAY:
            return (
                f"the budget{budget} does not cover the next frontier job{spent} until calls under "
                "way have ended; it goes on by itself"
            )
        case HoldCode.DAY_BUDGET:
            return (
                f"the day's budget{budget} does not cover the next frontier job{spent}; it goes on "
                "at midnight UTC, or raise limits.usd_per_day in docmill.toml, then "
                f"`docmill config apply` and `docmill resume {batch}`"
            )
        case HoldCode.NO_PRICE:
            model = about.get("model") or "the model"
            return (
                f"no price is known for {model}, so the budget cannot be kept; add one to [prices] "
                f"in docmill.toml, then `docmill config apply` and `docmill resume {batch}`"
            )
        case HoldCode.ENGINE:
            trouble, message = about.get("trouble"), str(about.get("message"))
            return f"{message}; {_advice(trouble, message, batch)}"
    return code


def hold_category(code: str, about: Mapping[str, Any]) -> str:
    """The one word for it beside the sentence: an engine's own trouble, else the hold's code."""
    return str(about.get("trouble") or code)


def mend(trouble: Mapping[str, Any], batch: int | None) -> str:
    """What lets an engine or model be asked again that is not asked at present: a trouble as
    `query.troubles` has it. `batch` None: whichever waits for it."""
    named = "BATCH" if batch is None else batch
    code, model, host = trouble["code"], trouble["model"], trouble["host"]
    if code == "unavailable":
        return f"check that it runs at {host}; it goes on by itself"
    if not trouble["lasting"]:
        return f"it goes on by itself; `docmill resume {named}` tries at once"
    if code == "model_not_found" and model and trouble["kind"] == "ollama":
        pull = f"{PULL}{model}`"
        told = pull in trouble["message"]
        return f"{'' if told else f'run {pull} at {host}; '}it goes on by itself"
    return _advice(code, trouble["message"], named)


def _advice(code: str | None, message: str, batch: int | str) -> str:
    if code == "model_not_found" and PULL in message:
        return "it goes on by itself"
    advice = ADVICE.get(code or "", "mend it").format(batch=batch)
    return f"{advice}; then `docmill resume {batch}`"


def serve(stage: str, zone: str | None) -> str:
    """What gives a queue a worker."""
    return f"start `docmill worker {stage if zone is None else zone}`"


BULKS = {
    BulkState.GATHERING: "are being put together for it",
    BulkState.GATHERED: "are about to be handed in",
    BulkState.UPLOADED: "are about to be handed in",
    BulkState.CREATING: "were handed in; whether it has begun is being looked up",
    BulkState.SUBMITTED: "are in it since {since}, {done:,} answered",
    BulkState.STOPPING: "are in it; it was told to stop",
    BulkState.ENDED: "are answered, and come back in line",
    BulkState.FETCHED: "came back in line; the provider deletes what it kept",
    BulkState.CLOSED: "came back in line",
}


def bulk(row: Mapping[str, Any], clock: Callable[[str], str]) -> str:
    """How far a batch of a provider is: one of a status' `bulks`. `clock` says a moment."""
    since = clock(row["sent_at"]) if row["sent_at"] else ""
    how = BULKS[BulkState(row["state"])].format(since=since, done=row["done"])
    jobs = row["jobs"] or row["requests"]
    said = f"provider batch of {row['engine']}/{row['model']}: {jobs:,} jobs {how}"
    return f"{said}; {row['detail']}" if row["detail"] else said


def fate(state: str, batch: int) -> str:
    """What helps documents that were not read, or not all of it."""
    named = f"`docmill documents {batch} --state {state}` names them"
    match state:
        case DocumentState.NEEDS_OCR:
            return (
                f"`pip install 'docmill[ocr]'` where documents are read, then "
                f"`docmill retry {batch} --reason {state}`, reads them; {named}"
            )
        case DocumentState.NEEDS_PASSWORD:
            return f"`docmill retry {batch} --password-file FILE` opens them; {named}"
        case DocumentState.PARTLY:
            return (
                f"`docmill documents {batch} --state {state}` says which pages are missing; "
                "what was read is asked. With OCR, or higher limits, "
                f"`docmill retry {batch} --reason {state}` reads them again"
            )
        case DocumentState.UNSUPPORTED:
            return f"{named}; submit them in another form"
    return named


def interrupted(batch: int, documents: int, paths: str = "PATHS") -> str:
    """What became of a submit that was cut off, and what goes on with it or ends it."""
    return (
        f"submit was interrupted: {documents:,} document{'' if documents == 1 else 's'} stored; "
        f"`docmill submit --resume {batch} {paths}` goes on, `docmill cancel {batch}` ends it"
    )


def left_by_watch(batch: int, watch: str) -> str:
    """What goes on with a batch that a watch left, or ends it. `watch` is named PLACE with SPEC."""
    place, _, spec = watch.rpartition(" with ")
    return (
        f"a watch submitted it: `docmill watch-folder {quote(place)} --spec {quote(spec)}` ends "
        f"it at its next look, and submits what it lacks; `docmill cancel {batch}` ends it at once"
    )


def _usd(amount: Any, form: str) -> str:
    """An amount in such words; no words where it is not known."""
    if amount is None:
        return ""
    return form.format(f"${Decimal(str(amount)).normalize():f}")
