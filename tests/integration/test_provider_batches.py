"""What every provider's batch API promises, asked of each of them in the same words."""

import asyncio
import json
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from models.words import Zone
from tests.factories import an_engine
from tests.stubs.batch_rigs import KEY, PROVIDERS, batch_rig
from tests.stubs.openai import OpenAIStub
from tests.stubs.process import stub_process
from worker.llm.batches import Item, Order
from worker.llm.engine import Completion, EngineError, Message, Request, Trouble
from worker.llm.kinds import KINDS, Reach
from worker.llm.openai.batches import OpenAIBatches, OpenRouterBatches

SCHEMA = {
    "type": "object",
    "properties": {"vendor": {"type": "string"}},
    "required": ["vendor"],
    "additionalProperties": False,
}
PLACES = ("Pune", "Nagpur", "Mysuru", "Kochi", "Surat", "Jaipur")


def a_request(text, **changes):
    said = (Message("system", "Answer from the text."), Message("user", text))
    return Request(**{"model_name": "m", "messages": said, "max_tokens": 100,
                      "context_tokens": 4096, **changes})  # fmt: skip


def an_order(count=6, *, name="order-1", **changes):
    texts = (f"Invoice {n} of Acme Traders in {PLACES[n % 6]}." for n in range(count))
    items = [Item(f"job-{n}", a_request(text, **changes)) for n, text in enumerate(texts)]
    return Order(name, items)


@pytest.fixture(params=list(PROVIDERS))
def provider(request):
    return request.param


@pytest.fixture
async def rig(provider):
    async with batch_rig(provider) as made:
        yield made


async def trouble_of(call):
    """The error with which a call ends."""
    with pytest.raises(EngineError) as caught:
        await call
    return caught.value


async def refusal_of(rig, order):
    """What is said of an order that is not taken, at once or after a while."""
    try:
        return (await rig.ended(await rig.begin(order))).refused
    except EngineError as exc:
        return str(exc)


def good(replies):
    """The names of the requests that were answered."""
    return {name for name, one in replies.items() if isinstance(one.outcome, Completion)}


def operations(rig):
    """What can be asked of it, by the word that the stub has for it; `create` begins anew."""
    order = an_order()
    calls = {
        "create": lambda remote: rig.api.create(order, rig.upload),
        "list": lambda remote: rig.found(order),
        "poll": rig.api.progress,
        "fetch": rig.replies,
        "delete": lambda remote: rig.api.forget(remote, rig.upload),
    }
    if rig.provider.uploads:
        calls["upload"] = lambda remote: rig.api.upload(order)
    if rig.provider.stops:
        calls["cancel"] = rig.api.cancel
    return calls


async def a_batch_for(rig, operation):
    """A batch in a state in which the operation makes sense."""
    order = an_order()
    rig.upload = await rig.api.upload(order)
    remote = await rig.api.create(order, rig.upload)
    if operation in ("fetch", "delete"):
        await rig.ended(remote)
    return remote


# -- the way through


async def test_the_answers_are_those_of_calls_made_at_once_whatever_their_order(rig):
    order = an_order(schema=SCHEMA)
    remote = await rig.begin(order)
    progress = await rig.ended(remote)
    assert (progress.done, progress.refused) == (len(order.items), None)
    replies = [reply async for reply in rig.api.results(remote)]
    assert [reply.name for reply in replies] != [item.name for item in order.items]
    told = {reply.name: reply.outcome for reply in replies}
    assert told.keys() == {item.name for item in order.items}
    for item in order.items:
        at_once = await rig.engine.complete(item.request)
        assert told[item.name] == replace(at_once, latency_ms=0, rate_limits=None)


async def test_what_is_on_the_bill_is_what_the_replies_say(rig):
    order = an_order()
    rig.batches.fate(errors={1: rig.provider.faults[Trouble.BAD_REQUEST]})
    remote = await rig.begin(order)
    await rig.ended(remote)
    told = [reply.outcome for reply in (await rig.replies(remote)).values()]
    usages = [one.usage for one in told if isinstance(one, Completion)]
    book = rig.batches.book
    assert book.answered == len(usages) == len(order.items) - 1
    assert sum(usage.input_tokens for usage in usages) == book.read
    assert sum(usage.output_tokens for usage in usages) == book.written


async def test_a_thousand_replies_of_many_kinds_come_back_each_to_its_name(rig):
    order = an_order(1_000)
    failing = rig.provider.faults[Trouble.SERVER_ERROR]
    rig.batches.fate(errors=dict.fromkeys(range(0, 1_000, 7), failing))
    remote = await rig.begin(order)
    await rig.ended(remote)
    replies = await rig.replies(remote)
    assert len(replies) == 1_000
    assert good(replies) == {f"job-{n}" for n in range(1_000) if n % 7}


async def test_a_batch_on_its_way_has_not_ended(rig):
    remote = await rig.begin(an_order())
    assert not (await rig.api.progress(remote)).ended


async def test_each_thing_asked_is_one_request_on_the_wire(rig):
    for operation, ask in operations(rig).items():
        remote = await a_batch_for(rig, operation)
        before = rig.batches.book.wire.total()
        await ask(remote)
        many = {"fetch": rig.provider.fetches, "delete": rig.provider.deletes}
        assert rig.batches.book.wire.total() - before == many.get(operation, 1), operation


# -- what goes wrong on the wire


async def test_every_trouble_comes_out_as_itself_at_every_step_and_nothing_is_tried_again(rig):
    for operation, ask in operations(rig).items():
        for trouble, fault in rig.provider.faults.items():
            remote = await a_batch_for(rig, operation)
            before = rig.batches.book.wire[operation]
            rig.batches.meet(operation, fault)
            if operation == "cancel" and trouble is Trouble.BAD_REQUEST:
                await ask(remote)  # it cannot be cancelled any more, which is no matter
                continue
            error = await trouble_of(ask(remote))
            assert error.trouble is trouble, operation
            may = operation == "create" and trouble is Trouble.SERVER_ERROR
            assert error.maybe_billed is may, (operation, trouble)
            assert rig.batches.book.wire[operation] == before + 1
            if trouble is Trouble.RATE_LIMITED:
                assert error.retry_after_s == 0.1


async def test_only_what_begins_a_batch_may_be_billed_when_the_connection_breaks(rig):
    for operation, ask in operations(rig).items():
        for fault in ("cut", "cut_body", "bad_json"):
            unread = operation in rig.provider.unread
            if (unread or operation == "fetch") and fault == "bad_json":
                continue  # what these answer is not read, or is read line by line
            if unread and fault == "cut_body":
                continue
            remote = await a_batch_for(rig, operation)
            rig.batches.meet(operation, fault)
            error = await trouble_of(ask(remote))
            assert error.trouble is Trouble.SERVER_ERROR, (operation, fault)
            assert error.maybe_billed is (operation == "create"), (operation, fault)


async def test_what_never_answers_times_out(provider):
    async with batch_rig(provider) as rig:
        patient, hasty = rig.api, rig.provider.api(rig.stub, timeout_s=0.2)
        for fault, operation in product(("timeout", "drip"), operations(rig)):
            rig.api = patient
            remote = await a_batch_for(rig, operation)
            rig.batches.meet(operation, fault)
            rig.api = hasty
            error = await trouble_of(operations(rig)[operation](remote))
            assert error.trouble is Trouble.TIMEOUT, (operation, fault)
            assert error.maybe_billed is (operation == "create"), (operation, fault)
        rig.api = patient
        await hasty.close()


async def test_a_refused_connection_and_a_web_page_cost_nothing(rig):
    for outage, trouble in (("refuse", Trouble.UNAVAILABLE), ("page", Trouble.MISCONFIGURED)):
        for operation, ask in operations(rig).items():
            if outage == "page" and operation in ("cancel", "delete"):
                continue  # what these answer is not read
            await rig.stub.set(outage="")
            remote = await a_batch_for(rig, operation)
            await rig.stub.set(outage=outage)
            error = await trouble_of(ask(remote))
            assert (error.trouble, error.maybe_billed) == (trouble, False), operation


async def test_a_create_that_began_and_failed_may_be_billed_and_is_found(rig):
    for place, fault in enumerate(("500", "503", "cut", "cut_body", "bad_json")):
        order = an_order(place + 1, name=f"order-{place}")
        upload = await rig.api.upload(order)
        rig.batches.meet("create", fault, done=True)
        error = await trouble_of(rig.api.create(order, upload))
        assert error.maybe_billed, fault
        assert await rig.found(order) == [rig.batches.newest()[0].id]
        assert rig.batches.book.begun == place + 1


async def test_a_create_that_was_refused_began_nothing(rig):
    order = an_order()
    rig.batches.meet("create", rig.provider.faults[Trouble.RATE_LIMITED])
    assert not (await trouble_of(rig.begin(order))).maybe_billed
    assert await rig.found(order) == []
    assert rig.batches.book.begun == 0


async def test_a_full_queue_is_a_rate_limit_and_costs_nothing(rig):
    said = {"message": "Enqueued token limit reached for m.", "code": "token_limit_exceeded"}
    rig.batches.meet("create", {"status": 400, "body": {"error": said}})
    error = await trouble_of(rig.begin(an_order()))
    assert (error.trouble, error.maybe_billed) == (Trouble.RATE_LIMITED, False)


async def test_results_that_break_off_are_those_so_far_and_then_an_error(rig):
    remote = await rig.begin(an_order(200))
    await rig.ended(remote)
    rig.batches.meet("fetch", "cut_body")
    came = []

    async def fetch():
        async for reply in rig.api.results(remote):
            came.append(reply)

    assert (await trouble_of(fetch())).trouble is Trouble.SERVER_ERROR
    assert 0 < len(came) < 200
    assert all(isinstance(reply.outcome, Completion) for reply in came)
    assert len(await rig.replies(remote)) == 200, "fetched again, nothing is missing"


async def test_whoever_leaves_in_the_middle_of_the_results_leaves_no_connection_behind(rig):
    remote = await rig.begin(an_order(2_000))
    await rig.ended(remote)
    results = rig.api.results(remote)
    assert isinstance((await anext(results)).outcome, Completion)
    await results.aclose()
    assert len(await rig.replies(remote)) == 2_000


async def test_no_error_and_no_log_repeats_the_key(rig, caplog):
    caplog.set_level(logging.DEBUG)
    key = rig.provider.secret
    said = {"status": 400, "body": {"error": {"message": f"bad key {key}, or {key[:14]}"}}}
    for operation, ask in operations(rig).items():
        if operation == "cancel":
            continue  # 400 is no error there
        remote = await a_batch_for(rig, operation)
        rig.batches.meet(operation, said)
        error = await trouble_of(ask(remote))
        assert "[key]" in str(error)
        assert key[:14] not in f"{error} {error.__cause__!r}", operation
    own = [line for line in caplog.messages if key in line]
    assert own == []


# -- what goes wrong with a batch


async def test_a_batch_that_is_refused_says_why(rig):
    if not rig.provider.refuses:
        return
    rig.batches.fate(end="failed", message="Enqueued token limit reached for m.")
    progress = await rig.ended(await rig.begin(an_order()))
    assert progress.ended
    assert "Enqueued token limit" in progress.refused


async def test_a_request_that_fails_alone_fails_as_a_call_made_at_once(rig):
    for trouble, fault in rig.provider.faults.items():
        order = an_order(2, name=f"order-{trouble}")
        rig.batches.fate(errors={0: fault})
        remote = await rig.begin(order)
        await rig.ended(remote)
        replies = await rig.replies(remote)
        assert good(replies) == {"job-1"}
        found = replies["job-0"].outcome
        rig.stub.script.append(fault)
        at_once = await trouble_of(rig.engine.complete(order.items[0].request))
        assert found.trouble is at_once.trouble is trouble
        may_be_billed = at_once.maybe_billed and rig.provider.bills_errors
        assert (found.status, found.maybe_billed) == (at_once.status, may_be_billed)


async def test_a_batch_that_expires_gives_a_part(rig):
    rig.batches.fate(end="expired", finished=2)
    remote = await rig.begin(an_order())
    await rig.ended(remote)
    replies = await rig.replies(remote)
    assert good(replies) == {"job-0", "job-1"}
    errors = [one.outcome for one in replies.values() if isinstance(one.outcome, EngineError)]
    assert not any(one.maybe_billed for one in errors)
    assert {one.trouble for one in errors} <= {Trouble.UNAVAILABLE}


async def test_a_batch_that_is_cancelled_gives_a_part(rig):
    rig.batches.fate(finished=2)
    remote = await rig.begin(an_order())
    await rig.api.progress(remote)
    await rig.api.cancel(remote)
    await rig.ended(remote)
    replies = await rig.replies(remote)
    all_of_them = {f"job-{n}" for n in range(6)}
    assert good(replies) == ({"job-0", "job-1"} if rig.provider.stops else all_of_them)
    assert rig.batches.book.answered == len(good(replies))


async def test_one_that_has_ended_is_cancelled_without_an_error(rig):
    remote = await rig.begin(an_order())
    await rig.ended(remote)
    await rig.api.cancel(remote)
    assert len(good(await rig.replies(remote))) == 6


# -- what is found again, and forgotten


async def test_a_batch_is_found_among_hundreds_of_others(rig):
    sought = an_order(7, name="sought")
    remote = await rig.begin(sought)
    rig.crowd(remote, 250)
    before = rig.batches.book.wire["list"]
    assert await rig.found(sought) == [remote]
    assert rig.batches.book.wire["list"] == before + (1 if rig.provider.finds_names else 3)


async def test_the_search_ends_at_the_batches_of_long_ago(rig):
    rig.crowd(await rig.begin(an_order()), 150)
    for batch in rig.batches.all.values():
        batch.created_at -= 3_600
    before = rig.batches.book.wire["list"]
    assert await rig.found(an_order(1, name="other-149")) == []
    assert rig.batches.book.wire["list"] == before + 1


async def test_a_clock_that_is_behind_by_less_than_a_minute_hides_nothing(rig):
    remote = await rig.begin(an_order())
    rig.batches.all[remote].created_at -= 50
    assert list(await rig.api.find(an_order(), datetime.now(UTC))) == [remote]
    rig.batches.all[remote].created_at -= 50
    assert list(await rig.api.find(an_order(), datetime.now(UTC))) == []


async def test_what_is_forgotten_is_gone_and_is_forgotten_twice(rig):
    order = an_order()
    rig.batches.fate(errors={0: rig.provider.faults[Trouble.SERVER_ERROR]})
    upload = await rig.api.upload(order)
    remote = await rig.api.create(order, upload)
    await rig.ended(remote)
    await rig.replies(remote)
    await rig.api.forget(remote, upload)
    assert rig.batches.files == {}
    await trouble_of(rig.replies(remote))
    await rig.api.forget(remote, upload)


async def test_what_never_became_a_batch_is_forgotten_too(rig):
    upload = await rig.api.upload(an_order())
    await rig.api.forget("", upload)
    assert rig.batches.files == {}


async def test_a_closed_api_asks_nothing_and_closes_twice(rig):
    remote = await rig.begin(an_order())
    await rig.api.close()
    await rig.api.close()
    error = await trouble_of(rig.api.progress(remote))
    assert (error.trouble, error.maybe_billed) == (Trouble.UNAVAILABLE, False)


# -- what is one provider's own


class TestOpenAI:
    async def test_a_gateway_that_keeps_no_metadata_is_searched_by_number_and_time(self):
        async with batch_rig("openai") as rig:
            await rig.stub.set(keeps_metadata=False)
            remote = await rig.begin(an_order(5))
            await rig.begin(an_order(4, name="another"))
            assert await rig.found(an_order(5)) == [remote]

    async def test_a_gateway_that_turns_no_pages_is_not_asked_for_ever(self):
        async with batch_rig("openai") as rig:
            page = {"data": [{"id": "batch_x", "created_at": 9_999_999_999}], "has_more": True}
            for _ in range(3):
                rig.batches.meet("list", {"status": 200, "body": page})
            assert await rig.found(an_order()) == ["batch_x"]
            assert rig.batches.book.wire["list"] == 2

    async def test_a_file_that_breaks_in_the_middle_of_a_line_costs_that_line_alone(self):
        async with batch_rig("openai") as rig:
            remote = await rig.begin(an_order())
            await rig.ended(remote)
            rig.batches.meet("fetch", "bad_json")
            replies = await rig.replies(remote)
            assert 0 < len(good(replies)) < 6
            broken = [one.outcome for one in replies.values() if one.name not in good(replies)]
            assert all(one.trouble is Trouble.SERVER_ERROR and one.maybe_billed for one in broken)

    async def test_a_page_in_place_of_a_file_is_no_empty_result(self):
        async with batch_rig("openai") as rig:
            remote = await rig.begin(an_order())
            await rig.ended(remote)
            rig.batches.meet("fetch", {"status": 200, "body": "<html>sign in</html>"})
            error = await trouble_of(rig.replies(remote))
            assert (error.trouble, error.maybe_billed) == (Trouble.MISCONFIGURED, False)

    async def test_each_file_is_deleted(self):
        async with batch_rig("openai") as rig:
            rig.batches.fate(errors={0: "400"})
            remote = await rig.begin(an_order())
            await rig.ended(remote)
            await rig.replies(remote)
            await rig.api.forget(remote, "")
            assert rig.batches.book.wire["delete"] == 3


class TestOpenRouter:
    async def test_what_has_ended_is_looked_at_without_keeping_its_results(self):
        async with batch_rig("openrouter") as rig:
            remote = await rig.begin(an_order(500))
            await rig.ended(remote)
            assert (await rig.api.progress(remote)).done == 500

    async def test_one_on_its_way_cannot_be_forgotten(self):
        async with batch_rig("openrouter") as rig:
            remote = await rig.begin(an_order())
            assert (await trouble_of(rig.api.forget(remote, ""))).status == 409


@pytest.mark.parametrize(
    ("zone", "name", "made"),
    [
        (Zone.FRONTIER, "openai", OpenAIBatches),
        (Zone.FRONTIER, "openrouter", OpenRouterBatches),
        (Zone.LOCAL, "openai", OpenAIBatches),
    ],
)
async def test_the_table_of_an_engine_says_which_api_it_is_and_whether_proxies_are_heeded(
    zone, name, made, monkeypatch, tmp_path
):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with OpenAIStub(batch_api=name) as stub:
        config = an_engine(kind="openai", zone=zone, base_url=stub.base_url, provider_batch=name)
        api = KINDS["openai"].make_batches(config, Reach(stub.base_url, KEY, tmp_path))
        assert type(api) is made
        order = an_order()
        if zone is Zone.LOCAL:
            assert await api.create(order, await api.upload(order))
        else:
            assert (await trouble_of(api.find(order, datetime.now(UTC)))).trouble is (
                Trouble.UNAVAILABLE
            )
        await api.close()


async def test_what_a_call_has_learnt_of_a_model_its_batches_need_not(tmp_path):
    async with OpenAIStub(renamed_limit_models=["m"]) as stub:
        keys = {"kind": "openai", "base_url": stub.base_url, "provider_batch": "openai"}
        config, reach = an_engine(**keys), Reach(stub.base_url, KEY, tmp_path)
        engine, api = (
            KINDS["openai"].make(config, reach),
            KINDS["openai"].make_batches(config, reach),
        )
        order = an_order(1)
        await engine.complete(order.items[0].request)
        await api.create(order, await api.upload(order))
        (batch,) = stub.batches.all.values()
        assert batch.asked[0].body == stub.last_body
        await engine.close()
        await api.close()


# -- the stubs themselves


def line(name="a", **changes):
    row = {"custom_id": name, "method": "POST", "url": "/v1/chat/completions"}
    return {**row, "body": {"model": "m", "messages": [], "max_tokens": 9}, **changes}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([line("a"), line("a")], "there twice"),
        ([line("a"), line("b", body={"model": "other"})], "one model"),
        ([line("a", url="/v1/responses")], "must be those of the batch"),
        ([line("a", method="GET")], "must be those of the batch"),
        ([line("a"), line("b"), line("c"), line("d")], "more than 3 requests"),
        ([line(""), line("b")], "no custom_id"),
        ([{"custom_id": "a"}], "must be those of the batch"),
        (["not JSON"], "not a JSON object"),
        ([], "no requests"),
    ],
)
async def test_the_stub_refuses_what_openai_refuses_of_a_file(lines, said):
    async with batch_rig("openai") as rig:
        await rig.stub.set(batch_requests=3)
        content = b"".join(
            (row if isinstance(row, str) else json.dumps(row)).encode() + b"\n" for row in lines
        )
        rig.batches.files["file-x"] = {"content": content, "purpose": "batch"}
        remote = await rig.api.create(an_order(), "file-x")
        assert said in (await rig.ended(remote)).refused


@pytest.mark.parametrize(
    ("purpose", "file", "key", "trouble"),
    [
        ("batch", "file-x", KEY, None),
        ("assistants", "file-x", KEY, Trouble.BAD_REQUEST),
        ("batch", "file-y", KEY, Trouble.BAD_REQUEST),
        ("batch", "file-x", "sk-another-one-0123456789", Trouble.AUTH),
        ("batch", "file-x", None, Trouble.AUTH),
    ],
)
async def test_the_stub_refuses_what_openai_refuses_of_a_batch(purpose, file, key, trouble):
    async with OpenAIStub(api_key=KEY) as stub:
        content = json.dumps(line()).encode()
        stub.batches.files["file-x"] = {"content": content, "purpose": purpose}
        api = OpenAIBatches(stub.base_url, key)
        if trouble is None:
            assert await api.create(an_order(), file)
        else:
            assert (await trouble_of(api.create(an_order(), file))).trouble is trouble
        await api.close()


async def test_the_stub_refuses_more_than_the_provider_takes(provider):
    async with batch_rig(provider) as rig:
        await rig.stub.set(batch_requests=3, batch_bytes=10_000)
        few, many = [await refusal_of(rig, an_order(n, name=f"order-{n}")) for n in (4, 400)]
        assert "more than 3" in few or "at most 3" in few
        assert "413" in many or "larger than" in many


async def test_a_stub_of_its_own_process_keeps_its_batches_and_its_bill():
    with stub_process("openai") as stub:
        api = OpenAIBatches(f"{stub.url}/v1", KEY)
        order = an_order()
        stub.batch_fate(end="expired", finished=4, errors={1: "400"})
        stub.batch_fault("create", "500", done=True)
        upload = await api.upload(order)
        assert (await trouble_of(api.create(order, upload))).maybe_billed
        await api.close()
        another = OpenAIBatches(f"{stub.url}/v1", KEY)
        (remote,) = await another.find(order, datetime.now(UTC) - timedelta(minutes=1))
        bill = stub.settled()["batches"]
        assert (bill["begun"], bill["answered"], bill["most_of_one"]) == (1, 3, 1)
        assert bill["wire"] == {"upload": 1, "create": 1, "list": 1}
        replies = {reply.name: reply async for reply in another.results(remote)}
        assert good(replies) == {"job-0", "job-2", "job-3"}
        await another.close()


async def test_a_batch_of_the_stub_takes_its_time():
    async with batch_rig("openai") as rig:
        await rig.stub.set(batch_s=0.05)
        remote = await rig.begin(an_order())
        assert not (await rig.api.progress(remote)).ended
        async with asyncio.timeout(5):
            while not (await rig.api.progress(remote)).ended:
                await asyncio.sleep(0.01)
        assert rig.batches.book.wire["poll"] > 3
