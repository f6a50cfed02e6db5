"""What a job of batch inference is told, and what it says. Requests are boto3's own."""

import json
import re
from datetime import UTC, datetime
from types import SimpleNamespace

import boto3  # noqa: TID251 - the client to compare with
import pytest

from tests.factories import a_request
from worker.llm.batches import Bounds, Item, Order, Progress
from worker.llm.bedrock import jobs
from worker.llm.bedrock.batches import BedrockBatches
from worker.llm.bedrock.dialect import Dialect
from worker.llm.bedrock.replies import completion
from worker.llm.engine import EngineError, Message, Trouble

REGION = "eu-west-1"
ROLE = "arn:aws:iam::111122223333:role/docmill"
ARN = "arn:aws:bedrock:eu-west-1:111122223333:model-invocation-job/abcdefghijkl"
BASE = jobs.place_of("s3://pile/some/docmill")
LATE, REFUSED = "Bedrock did not begin with the batch in time", "Bedrock refused the batch"
MODEL = "us.meta.llama3-3-70b-instruct-v1:0"
ANSWER = {
    "output": {"message": {"role": "assistant", "content": [{"text": "hi"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10},
}


def an_order(name="batch 7, part 1"):
    return Order(name, [Item(f"job-{n}", a_request(model_name=MODEL)) for n in range(2)])


class Sent(Exception):
    """A request of boto3's client, which goes no further."""


def sent_by_boto3(operation, **parameters):
    def keep(request, **_):
        raise Sent(request)

    client = boto3.Session().client("bedrock", region_name=REGION)
    client.meta.events.register("before-send.bedrock.*", keep)
    with pytest.raises(Sent) as caught:
        getattr(client, operation)(**parameters)
    client.close()
    return caught.value.args[0]


class Recorder:
    """Stands for a wire, and keeps what is sent along it."""

    where = "Bedrock at https://b"

    def __init__(self, answer):
        self._answer = json.dumps(answer).encode()
        self.sent = []

    async def send(self, method, path, content=b""):
        self.sent.append((method, path, content))
        return SimpleNamespace(status=200, body=self._answer)


@pytest.fixture
def batches():
    def made(answer):
        found = BedrockBatches("https://b", None, "https://s", None, base=BASE.uri, role=ROLE)
        found._jobs = Recorder(answer)
        return found, found._jobs.sent

    return made


async def test_a_job_is_begun_in_the_words_of_boto3(batches):
    order = an_order()
    requests = jobs.requests_in(order, BASE)
    api, sent = batches({"jobArn": ARN})
    assert await api.create(order, requests.uri) == ARN
    body = jobs.beginning(order, requests, ROLE)
    theirs = sent_by_boto3("create_model_invocation_job", **body)
    ((method, path, content),) = sent
    assert (method, f"https://bedrock.{REGION}.amazonaws.com/{path}") == (theirs.method, theirs.url)
    assert json.loads(content) == json.loads(theirs.body) == body


async def test_a_job_is_asked_stopped_and_found_as_boto3_does_it(batches):
    job = {"jobArn": ARN, "status": "InProgress"}
    api, sent = batches({**job, "invocationJobSummaries": []})
    await api.progress(ARN)
    await api.cancel(ARN)
    await api.find(an_order(), datetime(2026, 11, 28, 12, tzinfo=UTC))
    name = jobs.job_name(an_order())
    theirs = [
        sent_by_boto3("get_model_invocation_job", jobIdentifier=ARN),
        sent_by_boto3("stop_model_invocation_job", jobIdentifier=ARN),
        sent_by_boto3(
            "list_model_invocation_jobs",
            maxResults=100,
            nameContains=name,
            submitTimeAfter=datetime(2026, 11, 28, 11, 59, tzinfo=UTC),
        ),
    ]
    ours = [(method, f"https://bedrock.{REGION}.amazonaws.com/{path}") for method, path, _ in sent]
    assert [(method, split(url)) for method, url in ours] == [
        (one.method, split(one.url)) for one in theirs
    ]


def split(url):
    """An address, and its query whose order says nothing."""
    place, _, query = url.partition("?")
    return place, set(query.split("&"))


@pytest.mark.parametrize("name", ["7", "batch 7, part 1 ☃", "x" * 999])
def test_names_and_tokens_are_such_as_aws_takes_and_an_orders_alone(name):
    body = jobs.beginning(an_order(name), jobs.requests_in(an_order(name), BASE), ROLE)
    assert re.fullmatch(r"[a-zA-Z0-9]{1,63}(-*[a-zA-Z0-9\+\-\.]){0,63}", body["jobName"])
    assert len(body["jobName"]) <= 63
    assert re.fullmatch(r"[a-zA-Z0-9]{1,256}", body["clientRequestToken"])
    again, other = (
        jobs.beginning(an_order(one), jobs.requests_in(an_order(one), BASE), ROLE)
        for one in (name, f"{name}!")
    )
    assert again == body
    for key in ("jobName", "clientRequestToken", "inputDataConfig", "outputDataConfig"):
        assert other[key] != body[key]


def test_a_record_holds_what_would_be_sent_at_once():
    order = an_order()
    lines = jobs.records_of(order, Dialect(), "there").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"recordId": item.name, "modelInput": Dialect().body(item.request)} for item in order.items
    ]


def test_a_text_that_cannot_be_encoded_is_a_bad_request():
    order = Order("7", [Item("job-1", a_request(messages=(Message("user", "a\ud800b"),)))])
    with pytest.raises(EngineError) as caught:
        jobs.records_of(order, Dialect(), "there")
    assert (caught.value.trouble, caught.value.maybe_billed) == (Trouble.BAD_REQUEST, False)


def test_a_batch_holds_no_more_and_no_less_than_is_taken():
    assert BedrockBatches.bounds == Bounds(requests=50_000, bytes=200_000_000, fewest=100)


def test_replies_lie_beside_the_requests_under_the_id_of_the_job():
    requests = jobs.requests_in(an_order(), BASE)
    folder = f"s3://pile/some/docmill/{jobs.job_name(an_order())}"
    assert requests.uri == f"{folder}/requests.jsonl"
    assert [place.uri for place in jobs.kept_of(ARN, requests.uri)] == [
        f"{folder}/requests.jsonl",
        f"{folder}/abcdefghijkl/requests.jsonl.out",
        f"{folder}/abcdefghijkl/manifest.json.out",
    ]
    assert jobs.kept_of("", requests.uri) == (requests,)
    assert jobs.kept_of(ARN, "") == ()


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("s3://pile/a/b.jsonl", "pile/a/b.jsonl"),
        ("s3://my.pile/a!b/c'(d)*_.x", "my.pile/a%21b/c%27%28d%29%2A_.x"),
    ],
)
def test_a_place_is_named_for_jobs_and_for_requests(uri, path):
    assert (jobs.place_of(uri).uri, jobs.place_of(uri).path) == (uri, path)


def job(**changes):
    described = {
        "jobArn": ARN,
        "modelId": MODEL,
        "status": "InProgress",
        "inputDataConfig": {"s3InputDataConfig": {"s3Uri": "s3://old/x/requests.jsonl"}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://old/x/"}},
    }
    return jobs.job_in(json.dumps({**described, **changes}).encode(), "there")


@pytest.mark.parametrize(
    ("status", "done", "progress"),
    [
        ("Submitted", 0, Progress(ended=False)),
        ("Validating", 0, Progress(ended=False)),
        ("Scheduled", 0, Progress(ended=False)),
        ("InProgress", 3, Progress(ended=False, done=3)),
        ("Stopping", 3, Progress(ended=False, done=3)),
        ("Stopped", 3, Progress(ended=True, done=3)),
        ("Completed", 9, Progress(ended=True, done=9)),
        ("PartiallyCompleted", 3, Progress(ended=True, done=3)),
        ("Failed", 3, Progress(ended=True, done=3)),
        ("Failed", 0, Progress(ended=True, refused=f"{REFUSED}: too few records")),
        (
            "Expired",
            0,
            Progress(ended=True, refused=LATE),
        ),
        ("SomethingNew", 0, Progress(ended=False)),
    ],
)
def test_how_far_a_job_has_come(status, done, progress):
    found = job(status=status, processedRecordCount=done, message="too few\nrecords")
    assert found.progress == progress


@pytest.mark.parametrize(
    ("message", "shown"), [(None, "it does not say why"), ("x" * 2048, "x" * 299 + "…")]
)
def test_why_a_job_was_refused_is_one_short_line(message, shown):
    refused = job(status="Failed", message=message).progress.refused
    assert refused == f"{REFUSED}: {shown}"


def test_a_job_says_itself_where_its_replies_are():
    assert job().replies.uri == "s3://old/x/abcdefghijkl/requests.jsonl.out"


@pytest.mark.parametrize(
    ("status", "has"),
    [("Completed", True), ("PartiallyCompleted", True), ("Stopped", False), ("Failed", False)],
)
def test_a_job_that_was_cut_short_may_have_no_replies(status, has):
    assert job(status=status).has_replies is has


@pytest.mark.parametrize("content", [b"{}", b'{"jobArn": ""}', b"[]", b"{"])
def test_what_names_no_job_is_a_broken_answer(content):
    for read in (jobs.arn_in, jobs.job_in, jobs.page_in):
        with pytest.raises(EngineError) as caught:
            read(content, "there")
        assert (caught.value.trouble, caught.value.maybe_billed) == (Trouble.SERVER_ERROR, True)


def test_an_answer_is_the_one_that_a_call_made_at_once_would_have_had():
    at_once = completion(json.dumps(ANSWER).encode(), MODEL, 0, "there")
    assert jobs.answer_in({"recordId": "job-1", "modelOutput": ANSWER}, MODEL, "there") == at_once


@pytest.mark.parametrize(
    ("error", "trouble", "words"),
    [
        ({"errorCode": 400, "errorMessage": "Input is too long for requested model."},
         Trouble.CONTEXT_EXCEEDED, "Input is too long"),
        ({"errorCode": 400, "errorMessage": "odd"}, Trouble.BAD_REQUEST, "odd"),
        ({"errorCode": "429", "errorMessage": "slow"}, Trouble.RATE_LIMITED, "slow"),
        ({"errorCode": 500, "errorMessage": "broken"}, Trouble.SERVER_ERROR, "broken"),
        ({"errorCode": "ThrottlingException", "errorMessage": "slow"},
         Trouble.RATE_LIMITED, "slow"),
        ({"errorCode": "ValidationException", "errorMessage": "odd"}, Trouble.BAD_REQUEST, "odd"),
        ({"errorCode": 7, "errorMessage": "odd"}, Trouble.SERVER_ERROR, "odd"),
        ("odd", Trouble.SERVER_ERROR, "no text"),
        (None, Trouble.SERVER_ERROR, "no text"),
    ],
)  # fmt: skip
def test_a_record_that_came_to_nothing_says_why(error, trouble, words):
    with pytest.raises(EngineError) as caught:
        jobs.answer_in({"recordId": "job-1", "error": error}, MODEL, "there")
    assert caught.value.trouble is trouble
    assert words in str(caught.value)


def test_a_record_without_an_answer_is_broken():
    with pytest.raises(EngineError) as caught:
        jobs.answer_in({"recordId": "job-1"}, MODEL, "there")
    assert (caught.value.trouble, caught.value.maybe_billed) == (Trouble.SERVER_ERROR, True)
