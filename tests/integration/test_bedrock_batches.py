"""What is Bedrock's own of its batches; the rest is in test_provider_batches.py."""

import traceback
from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import DUMMY_AWS
from tests.factories import a_config, a_request
from tests.stubs.batch_rigs import ROLE, bedrock_batches
from tests.stubs.bedrock import BedrockStub
from worker.llm.batches import Item, Order
from worker.llm.bedrock.dialect import Dialect
from worker.llm.bedrock.engine import BedrockEngine
from worker.llm.bedrock.signing import Signer
from worker.llm.engine import Completion, EngineError, Message, Trouble
from worker.llm.kinds import KINDS, Reach

PROFILE = "us.meta.llama3-3-70b-instruct-v1:0"


@pytest.fixture
async def stub():
    async with BedrockStub(models=[]) as made:
        yield made


@pytest.fixture
async def api(stub):
    made = bedrock_batches(stub)
    yield made
    await made.close()


def an_order(count=3, **changes):
    request = {"model_name": PROFILE, **changes}
    return Order("order-1", [Item(f"job-{n}", a_request(**request)) for n in range(count)])


def a_minute_ago():
    return datetime.now(UTC) - timedelta(minutes=1)


async def begun(api, order=None):
    order = order or an_order()
    return await api.create(order, await api.upload(order))


async def ended(api, remote):
    while not (progress := await api.progress(remote)).ended:
        pass
    return progress


async def test_an_order_that_is_begun_twice_is_one_job(stub, api):
    assert await begun(api) == await begun(api)
    assert stub.batches.book.begun == 1
    assert len(stub.batches.files) == 1


async def test_profiles_are_models_of_jobs_and_of_their_replies(stub, api):
    remote = await begun(api)
    await ended(api, remote)
    outcomes = [reply.outcome async for reply in api.results(remote)]
    assert [one.model_answered for one in outcomes] == [PROFILE] * 3


async def test_a_conflict_may_be_with_the_job_of_this_very_order(stub, api):
    remote = await begun(api)
    conflict = {"x-amzn-errortype": "ConflictException"}
    stub.batches.meet("create", {"status": 409, "body": {"message": "in use"}, "headers": conflict})
    with pytest.raises(EngineError) as caught:
        await begun(api)
    assert caught.value.maybe_billed
    assert await api.find(an_order(), a_minute_ago()) == [remote]


async def test_a_job_whose_name_only_begins_alike_is_anothers(stub, api):
    remote = await begun(api)
    stub.batches.all[remote].about["jobName"] += "-2"
    assert await api.find(an_order(), a_minute_ago()) == []


async def test_too_few_requests_are_refused(stub, api):
    await stub.set(batch_least=100)
    progress = await ended(api, await begun(api))
    assert progress.refused.startswith("Bedrock refused the batch: 3 records are less than 100")


async def test_a_job_that_was_stopped_before_it_began_has_no_replies(stub, api):
    remote = await begun(api)
    await api.cancel(remote)
    await ended(api, remote)
    assert [reply async for reply in api.results(remote)] == []


async def test_replies_that_should_be_there_and_are_not_are_an_error(stub, api):
    remote = await begun(api)
    await ended(api, remote)
    stub.batches.files.clear()
    with pytest.raises(EngineError, match="NoSuchKey") as caught:
        [reply async for reply in api.results(remote)]
    assert not caught.value.maybe_billed


async def test_replies_are_found_where_they_were_when_the_job_began(stub, api):
    remote = await begun(api)
    await ended(api, remote)
    moved = bedrock_batches(stub, base="s3://elsewhere/now")
    outcomes = [reply.outcome async for reply in moved.results(remote)]
    assert len(outcomes) == 3
    assert all(isinstance(one, Completion) for one in outcomes)
    await moved.close()


async def test_nothing_is_left_in_s3_of_what_is_forgotten(stub, api):
    order = an_order()
    upload = await api.upload(order)
    remote = await api.create(order, upload)
    await ended(api, remote)
    assert len(stub.batches.files) == 3
    for _ in range(2):
        await api.forget(remote, upload)
        assert stub.batches.files == {}


async def test_a_large_file_is_sent_in_pieces(stub, api):
    await api.upload(an_order(40, messages=(Message("user", "word " * 20_000),)))
    assert sum(len(file["content"]) for file in stub.batches.files.values()) > 2**21


@pytest.mark.parametrize(
    ("code", "status", "trouble", "words"),
    [
        ("NoSuchBucket", 404, Trouble.MISCONFIGURED, "check batch_s3"),
        ("AccessDenied", 403, Trouble.AUTH, "what they may use"),
        ("SlowDown", 503, Trouble.RATE_LIMITED, "SlowDown"),
    ],
)
async def test_what_s3_refuses_is_said(stub, api, code, status, trouble, words):
    fault = {"status": status, "body": {"message": "no"}, "headers": {"x-amzn-errortype": code}}
    stub.batches.meet("upload", fault)
    with pytest.raises(EngineError, match=words) as caught:
        await api.upload(an_order())
    assert (caught.value.trouble, caught.value.maybe_billed) == (trouble, False)


async def test_credentials_show_nowhere(stub, api):
    token = DUMMY_AWS["AWS_SESSION_TOKEN"]
    for operation in ("upload", "create"):
        body = {"message": f"The Canonical String should have been '{token}'"}
        stub.batches.meet(operation, {"status": 403, "body": body})
        with pytest.raises(EngineError) as caught:
            await begun(api)
        shown = "".join(traceback.format_exception(caught.value)) + repr(api)
        assert token not in shown


async def test_what_a_call_has_learnt_of_a_model_its_batches_need_not(stub):
    await stub.set(no_temperature_models=[PROFILE])
    known = Dialect()
    engine = BedrockEngine(stub.url, Signer("eu-west-1", None), dialect=known)
    api = bedrock_batches(stub, dialect=known)
    await engine.complete(a_request(model_name=PROFILE))
    await begun(api)
    (batch,) = stub.batches.newest()
    assert batch.asked[0].body == stub.last_body
    assert "temperature" not in stub.last_body["inferenceConfig"]
    await engine.close()
    await api.close()


async def test_the_configuration_makes_it_at_the_addresses_of_aws_variables(stub, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", stub.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", stub.storage_url)
    table = {"kind": "bedrock", "region": "eu-west-1", "provider_batch": "bedrock",
             "batch_s3": "s3://pile/docmill", "batch_role": ROLE}  # fmt: skip
    config = a_config(engines={"aws": table}).engines["aws"]
    api = KINDS["bedrock"].make_batches(config, Reach("https://unused", None, None))
    assert not (await ended(api, await begun(api))).refused
    await api.close()
