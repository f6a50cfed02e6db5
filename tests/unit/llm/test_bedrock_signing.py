"""Requests are signed as boto3's own client signs them, by whom AWS's usual chain names."""

import datetime
import hashlib

import boto3  # noqa: TID251 - the client to compare with
import botocore.auth  # noqa: TID251
import pytest
from botocore.config import Config  # noqa: TID251

from models.errors import ConfigError
from worker.llm.bedrock.engine import address_in, bearer
from worker.llm.bedrock.jobs import place_of
from worker.llm.bedrock.signing import Signer, endpoint, region_of
from worker.llm.engine import EngineError, Trouble

REGION = "eu-west-1"
PROFILES = """
[profile far]
region = ap-south-1
aws_access_key_id = AKIAFARFARFARFARFAR0
aws_secret_access_key = far-secret
"""
ROLE = """
[profile gone]
credential_process = /nonexistent/program
"""


class Sent(Exception):
    """A request of boto3's client, which goes no further."""


def sent_by_boto3(model):
    def keep(request, **_):
        raise Sent(request)

    client = boto3.Session().client("bedrock-runtime", region_name=REGION)
    client.meta.events.register("before-send.bedrock-runtime.Converse", keep)
    with pytest.raises(Sent) as caught:
        client.converse(modelId=model, messages=[{"role": "user", "content": [{"text": "hi"}]}])
    client.close()
    return caught.value.args[0]


@pytest.fixture
def noon(monkeypatch):
    now = datetime.datetime(2026, 11, 28, 12, tzinfo=datetime.UTC)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: now)


@pytest.fixture
def configured(monkeypatch, tmp_path):
    def write(text):
        (tmp_path / "aws").write_text(text)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws"))
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    return write


@pytest.mark.parametrize("token", [True, False])
def test_a_request_is_signed_as_boto3_signs_it(noon, monkeypatch, token):
    if not token:
        monkeypatch.delenv("AWS_SESSION_TOKEN")
    theirs = sent_by_boto3("us.meta.llama3-3-70b-instruct-v1:0")
    assert theirs.url.startswith(address_in(REGION) + "/model/us.meta")
    ours = Signer(REGION, None)("POST", theirs.url, theirs.body)
    assert "Signature=" in ours["Authorization"]
    assert ours == {name: theirs.headers[name].decode() for name in ours}


def test_an_object_of_s3_is_asked_for_as_boto3_does_it(noon):
    def keep(request, **_):
        raise Sent(request)

    paths = Config(s3={"addressing_style": "path"}, response_checksum_validation="when_required")
    client = boto3.Session().client("s3", region_name=REGION, config=paths)
    client.meta.events.register("before-send.s3.GetObject", keep)
    with pytest.raises(Sent) as caught:
        client.get_object(Bucket="pile", Key="a!b/c.jsonl")
    client.close()
    theirs = caught.value.args[0]
    path = place_of("s3://pile/a!b/c.jsonl").path
    assert theirs.url == f"{endpoint('s3', REGION, None)}/{path}"
    ours = Signer(REGION, None, "s3")("GET", theirs.url, b"")
    assert ours == {name: theirs.headers[name].decode() for name in ours}


def test_the_hash_of_what_is_put_into_s3_is_signed():
    headers = Signer(REGION, None, "s3")("PUT", "https://s3/pile/a", b"content")
    assert headers["X-Amz-Content-SHA256"] == hashlib.sha256(b"content").hexdigest()
    assert "x-amz-content-sha256" in headers["Authorization"]
    assert f"/{REGION}/s3/aws4_request" in headers["Authorization"]


def test_services_are_where_aws_has_them_or_its_variables_say(monkeypatch):
    assert endpoint("bedrock", REGION, None) == f"https://bedrock.{REGION}.amazonaws.com"
    assert endpoint("s3", REGION, None) == f"https://s3.{REGION}.amazonaws.com"
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9/s3")
    assert endpoint("bedrock", REGION, None) == "http://127.0.0.1:9"
    assert endpoint("s3", REGION, None) == "http://127.0.0.1:9/s3"


def test_a_question_without_a_body_is_signed_without_its_type():
    headers = Signer(REGION, None)("GET", f"{address_in(REGION)}/async-invoke?maxResults=1", b"")
    assert "Content-Type" not in headers
    assert "SignedHeaders=host;x-amz-date;" in headers["Authorization"]


def test_a_profile_names_who_asks_and_where(configured):
    configured(PROFILES)
    sign = Signer(None, "far")
    assert sign.region == "ap-south-1"
    assert "AKIAFARFARFARFARFAR0" in sign("GET", address_in("ap-south-1"), b"")["Authorization"]
    assert Signer(REGION, "far").region == REGION


def test_the_region_is_the_chains_where_none_is_stated(monkeypatch):
    with pytest.raises(ConfigError, match=r"region = .*AWS_DEFAULT_REGION"):
        region_of(None, None)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-south-1")
    assert region_of(None, None) == "ap-south-1"
    assert region_of(REGION, None) == REGION


def test_a_profile_that_is_not_there_is_an_error_of_the_configuration():
    with pytest.raises(ConfigError, match="nobody"):
        Signer(REGION, "nobody")


@pytest.mark.parametrize(("profiles", "profile"), [("", None), (ROLE, "gone")])
def test_without_credentials_it_is_said_what_to_do(configured, profiles, profile):
    configured(profiles)
    with pytest.raises(EngineError, match=r"Bedrock in eu-west-1: .*AWS_ACCESS_KEY_ID") as caught:
        Signer(REGION, profile)("POST", address_in(REGION), b"{}")
    assert caught.value.trouble is Trouble.AUTH
    assert not caught.value.maybe_billed


def test_a_key_that_no_header_carries_is_refused_and_not_shown():
    with pytest.raises(ConfigError) as caught:
        bearer("a key")
    assert "a key" not in str(caught.value)


def test_a_key_of_bedrocks_own_is_sent_as_it_is():
    assert bearer("a-key")("POST", address_in(REGION), b"{}")["Authorization"] == "Bearer a-key"
