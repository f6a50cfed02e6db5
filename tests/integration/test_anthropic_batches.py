"""What is Anthropic's own of its batches; the rest is in test_provider_batches.py."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.factories import a_config, a_request
from tests.stubs.anthropic import AnthropicStub
from worker.llm.anthropic.batches import AnthropicBatches
from worker.llm.batches import Item, Order
from worker.llm.engine import EngineError, Message, Trouble
from worker.llm.kinds import KINDS, Reach

KEY = "sk-ant-very-secret-0123456789"


@pytest.fixture
async def stub():
    async with AnthropicStub(api_key=KEY) as made:
        yield made


@pytest.fixture
async def api(stub):
    made = AnthropicBatches(stub.url, KEY)
    yield made
    await made.close()


def an_order(count=3, **changes):
    return Order("order-1", [Item(f"job-{n}", a_request(**changes)) for n in range(count)])


async def begun(api, order=None):
    return await api.create(order or an_order(), "")


async def ended(api, remote):
    while not (await api.progress(remote)).ended:
        pass
    return remote


async def test_replies_are_read_at_the_configured_address_whatever_the_batch_names(stub, api):
    remote = await ended(api, await begun(api))
    assert len([reply async for reply in api.results(remote)]) == 3
    assert stub.batches.book.wire["fetch"] == 1


async def test_a_large_batch_is_sent_in_pieces(stub, api):
    await begun(api, an_order(40, messages=(Message("user", "word " * 20_000),)))
    (batch,) = stub.batches.newest()
    assert len(batch.asked) == 40


async def test_batches_are_looked_through_up_to_the_moment_asked_for(stub, api):
    sizes = (3, 5, 3, 3)
    made = [await begun(api, an_order(size)) for size in sizes]
    stub.batches.all[made[0]].created_at -= 3600
    found = await api.find(an_order(), datetime.now(UTC) - timedelta(minutes=5))
    assert found == [made[3], made[2]]
    assert stub.batches.book.wire["list"] == 1
    for _ in range(120):
        await begun(api, an_order(1))
    found = await api.find(an_order(), datetime.now(UTC) - timedelta(hours=2))
    assert found == [made[3], made[2], made[0]]
    assert stub.batches.book.wire["list"] == 3  # the second time there were two pages


async def test_a_list_that_does_not_end_is_an_error_and_no_answer(stub, api, monkeypatch):
    monkeypatch.setattr("worker.llm.anthropic.batches._PAGE", 1)
    monkeypatch.setattr("worker.llm.anthropic.batches._MOST_PAGES", 2)
    for _ in range(3):
        await begun(api)
    with pytest.raises(EngineError, match="does not end"):
        await api.find(an_order(), datetime.now(UTC))


async def test_what_is_still_at_work_cannot_be_forgotten(stub, api):
    remote = await begun(api)
    with pytest.raises(EngineError, match="in progress"):
        await api.forget(remote, "")
    await ended(api, remote)
    await api.forget(remote, "")
    await api.forget(remote, "")
    await api.forget("", "")
    assert stub.batches.newest() == []


async def test_what_a_call_has_learnt_of_a_model_its_batches_need_not(stub):
    await stub.set(thinking_models=["m"])
    keys = {"kind": "anthropic", "base_url": stub.url, "provider_batch": "anthropic"}
    config = a_config(engines={"frontier": keys}).engines["frontier"]
    kind, reach = KINDS["anthropic"], Reach(stub.url, KEY, None)
    engine, api = kind.make(config, reach), kind.make_batches(config, reach)
    await engine.complete(a_request())
    await begun(api)
    (batch,) = stub.batches.newest()
    assert batch.asked[0].body == stub.last_body
    assert "thinking" not in stub.last_body
    await engine.close()
    await api.close()


async def test_the_configuration_makes_it(stub):
    config = a_config(
        engines={"frontier": {"kind": "anthropic", "provider_batch": "anthropic"}}
    ).engines["frontier"]
    api = KINDS["anthropic"].make_batches(config, Reach(stub.url, KEY, None))
    assert await ended(api, await begun(api))
    await api.close()


async def test_a_wrong_key_is_no_batch_that_has_ended(stub):
    api = AnthropicBatches(stub.url, "sk-ant-another")
    for call in (api.cancel("msgbatch_1"), api.forget("msgbatch_1", ""), begun(api)):
        with pytest.raises(EngineError) as caught:
            await call
        assert (caught.value.trouble, caught.value.maybe_billed) == (Trouble.AUTH, False)
    await api.close()
