import asyncio
import logging
import threading
import traceback
from urllib.parse import quote

import pytest

from tests.conftest import DUMMY_AWS
from tests.factories import a_request, trouble_of
from tests.stubs.bedrock import BedrockStub
from tests.waiting import until
from worker.llm.bedrock.engine import BedrockEngine, bearer
from worker.llm.bedrock.signing import Signer
from worker.llm.engine import Message, Trouble

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
PROFILE = "us.meta.llama3-3-70b-instruct-v1:0"
ARN = "arn:aws:bedrock:eu-west-1:111122223333:application-inference-profile/a1b2c3"
SECRETS = (DUMMY_AWS["AWS_SECRET_ACCESS_KEY"], DUMMY_AWS["AWS_SESSION_TOKEN"])


@pytest.fixture
async def stub():
    async with BedrockStub() as made:
        yield made


@pytest.fixture
async def engine(stub):
    made = BedrockEngine(stub.url + "/", Signer("eu-west-1", None))
    yield made
    await made.close()


@pytest.mark.parametrize("model", [PROFILE, ARN])
async def test_profiles_and_arns_are_names_of_models(stub, engine, model):
    await stub.set(models=[model])
    assert (await engine.complete(a_request(model_name=model))).model_answered == model
    # As it is signed: a colon that is sent as one has another signature.
    assert stub.last_path == f"/model/{quote(model, safe='')}/converse"


async def test_the_engine_s_own_clock_is_read_in_seconds(engine):
    assert (await engine.complete(a_request())).engine_seconds == 0.5


@pytest.mark.parametrize(
    ("fault", "trouble", "billed"),
    [
        ("throttled", Trouble.RATE_LIMITED, False),
        ("daily", Trouble.QUOTA, False),
        ("quota", Trouble.QUOTA, False),
        ("not_ready", Trouble.UNAVAILABLE, False),
        ("503", Trouble.UNAVAILABLE, False),
        ("500", Trouble.SERVER_ERROR, True),
        ("model_error", Trouble.SERVER_ERROR, True),
        ("slow_model", Trouble.TIMEOUT, True),
        ("no_access", Trouble.MODEL_NOT_FOUND, False),
        ("wrong_key", Trouble.AUTH, False),
        ("404", Trouble.MODEL_NOT_FOUND, False),
        ("max_tokens", Trouble.MODEL_UNFIT, False),
        ("307", Trouble.MISCONFIGURED, False),
        ("cut", Trouble.SERVER_ERROR, True),
        ("cut_body", Trouble.SERVER_ERROR, True),
    ],
)
async def test_every_fault_is_typed_and_met_with_one_request(stub, engine, fault, trouble, billed):
    stub.script.append(fault)
    error = await trouble_of(engine)
    assert (error.trouble, error.maybe_billed) == (trouble, billed)
    assert stub.record.requests == 1


async def test_a_call_that_times_out_is_one_request(stub):
    engine = BedrockEngine(stub.url, Signer("eu-west-1", None), timeout_s=0.1)
    stub.script.append("timeout")
    assert (await trouble_of(engine)).trouble is Trouble.TIMEOUT
    await until(lambda: stub.record.in_flight == 0, "nothing is in flight")
    assert stub.record.requests == 1
    await engine.close()


@pytest.mark.parametrize(
    ("knob", "left_out"),
    [
        ("no_schema_models", "outputConfig"),
        ("no_temperature_models", "temperature"),
        ("no_system_models", "system"),
    ],
)
async def test_a_refused_field_is_left_out_from_then_on(stub, engine, knob, left_out):
    await stub.set(models=[], **{knob: ["m"]})
    messages = (Message("system", "Be brief."), Message("user", "Who?"))
    for _ in range(3):
        assert (await engine.complete(a_request(schema=SCHEMA, messages=messages))).text
    assert stub.record.requests == 4  # one refusal, remembered
    body = stub.last_body
    assert left_out not in {*body, *body["inferenceConfig"]}
    assert len({"outputConfig", "temperature", "system"} & {*body, *body["inferenceConfig"]}) == 2


async def test_a_key_of_bedrocks_own_is_sent_and_shown_nowhere(stub):
    key = "bedrock-api-key-0123456789"
    engine = BedrockEngine(stub.url, bearer(key))
    assert (await engine.complete(a_request())).text
    assert stub.last_headers["Authorization"] == f"Bearer {key}"
    stub.script.append({"status": 403, "body": {"message": f"Bearer {key} is not valid"}})
    error = await trouble_of(engine)
    assert error.trouble is Trouble.AUTH
    assert key not in "".join(traceback.format_exception(error))
    await engine.close()


async def test_credentials_show_nowhere(stub, engine, caplog):
    caplog.set_level(logging.DEBUG, "worker")
    token = DUMMY_AWS["AWS_SESSION_TOKEN"]
    said = f"The Canonical String should have been 'x-amz-security-token:{token}'"
    stub.script.append({"status": 403, "body": {"message": said}})
    error = await trouble_of(engine)
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(engine) + caplog.text
    assert not any(secret in shown for secret in SECRETS)
    assert all(secret not in str(stub.last_body) for secret in SECRETS)


async def test_without_credentials_nothing_is_sent(stub, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    engine = BedrockEngine(stub.url, Signer("eu-west-1", None))
    error = await trouble_of(engine)
    assert (error.trouble, error.maybe_billed) == (Trouble.AUTH, False)
    assert (await engine.health()).trouble is Trouble.AUTH
    assert stub.record.requests == 0
    await engine.close()


@pytest.mark.parametrize(
    ("fault", "ok"),
    [("", True), ("denied", True), ("throttled", True), ("expired", False), ("500", False),
     ("wrong_service", False)],
)  # fmt: skip
async def test_health_says_whether_it_is_bedrock_and_knows_who_asks(stub, engine, fault, ok):
    await stub.set(health=fault)
    health = await engine.health()
    assert (health.ok, health.models) == (ok, ())
    assert (health.trouble is None) is ok
    assert stub.record.requests == 0


async def test_credentials_that_take_their_time_hold_up_nothing_else(stub):
    signed, asked, fetched = Signer("eu-west-1", None), threading.Event(), threading.Event()

    def slow(*what):
        asked.set()
        fetched.wait(10)
        return signed(*what)

    engine = BedrockEngine(stub.url, slow)
    call = asyncio.create_task(engine.complete(a_request()))
    await until(asked.is_set, "credentials are being fetched")
    assert not call.done()
    fetched.set()
    assert (await call).text
    await engine.close()


async def test_credentials_that_never_come_are_no_call_on_the_bill(stub):
    ended = threading.Event()
    engine = BedrockEngine(stub.url, lambda *_: ended.wait(10), timeout_s=0.1)
    error = await trouble_of(engine)
    ended.set()
    assert (error.trouble, error.maybe_billed) == (Trouble.AUTH, False)
    assert stub.record.requests == 0
    await engine.close()


async def test_the_proxy_of_the_environment_is_used_or_not_as_told(stub, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    signer = Signer("eu-west-1", None)
    through, past = (BedrockEngine(stub.url, signer, proxied=proxied) for proxied in (True, False))
    assert (await trouble_of(through)).trouble is Trouble.UNAVAILABLE
    assert (await past.complete(a_request())).text
    await through.close()
    await past.close()
