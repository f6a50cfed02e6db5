"""Buckets: S3 as moto speaks it, Google's storage on a stub, and what a hostile one may answer."""

import io
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3  # noqa: TID251 - who fills the bucket
import pytest
from moto.server import ThreadedMotoServer

from models.config import SourcesConfig
from models.errors import InputError
from models.spec import make_spec
from producer.places import NotFetched, Refused
from producer.remote import bucket as bucket_module
from producer.remote.access import Access
from producer.remote.place import place_at
from producer.sources import Source, gather
from producer.watch.look import Fate, Look, Watched
from tests import office
from tests.rows import column
from tests.stubs.pages import Pages
from tests.stubs.storage import GoogleStorage

ALLOWED = SourcesConfig(private=True, download_mb=1, download_seconds=20)
SPEC = make_spec({"asks": [{"ask": "Sum up.", "task": "summary"}]}, "test")
SECRET = "wJalrXUtnFEMI-not-a-real-secret"


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def s3(moto: str, aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of boto3's own, with an empty bucket called `papers`."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    client = boto3.client("s3")
    client.create_bucket(Bucket="papers")
    yield client
    for found in client.list_objects_v2(Bucket="papers").get("Contents", ()):
        client.delete_object(Bucket="papers", Key=found["Key"])
    client.delete_bucket(Bucket="papers")
    client.close()


@pytest.fixture
def pages() -> Iterator[Pages]:
    with Pages() as made:
        yield made


def put(s3: Any, **objects: bytes) -> None:
    for name, data in objects.items():
        s3.put_object(Bucket="papers", Key=name, Body=data)


def found(address: str, config: SourcesConfig = ALLOWED) -> list[Source]:
    return list(gather([address], io.BytesIO(), 1, Access(config)))


def refused(address: str, config: SourcesConfig = ALLOWED) -> Refused:
    [source] = found(address, config)
    assert isinstance(source, Refused)
    return source


def names(sources: list[Source]) -> list[str]:
    return [source.path for source in sources]


def test_all_below_a_prefix_is_taken_by_name_and_one_object_by_its_key(s3):
    put(s3, **{"in/b ü&+%20.txt": b"two", "in/a.txt": b"one", "in/deep/c.txt": b"three"})
    put(s3, **{"in/": b"", "in/.hidden": b"no", "in/.trash/d.txt": b"no", "inner.txt": b"no"})
    put(s3, **{"in/all.zip": office.zipped({"z.txt": b"four"})})
    whole = ["a.txt", "all.zip/z.txt", "b ü&+%20.txt", "deep/c.txt"]
    taken = found("s3://papers/in")
    assert names(taken) == [f"s3://papers/in/{name}" for name in whole]
    assert [source.data for source in taken] == [b"one", b"four", b"two", b"three"]
    assert found("s3://papers/in/") == taken
    assert names(found("s3://papers"))[-1] == "s3://papers/inner.txt"
    assert found("s3://papers/in/b ü&+%20.txt") == taken[2:3]


def test_a_list_is_read_page_by_page_and_no_further_than_it_is_used(s3, monkeypatch):
    monkeypatch.setattr(bucket_module, "PAGE", 2)
    put(s3, **{f"{number:02}.txt": b"text" for number in range(25)})
    asked: list[str | None] = []
    with place_at("s3://papers", Access(ALLOWED)) as place:
        listing = place._dialect.listing
        place._dialect.listing = lambda *given: asked.append(given[2]) or listing(*given)
        contents = place.contents(place.files())
        assert next(contents).file.name == "s3://papers/00.txt"
        assert len(asked) == 5  # eight are fetched ahead
        assert sum(1 for _ in contents) == 24
    assert len(asked) == len(set(asked)) == 13


def test_what_cannot_be_had_says_what_where_and_what_to_do(s3, monkeypatch, tmp_path):
    assert refused("s3://papers/none/").category == "not_found"
    nowhere = refused("s3://no-such-bucket/in/")
    assert (nowhere.category, nowhere.path) == ("not_found", "s3://no-such-bucket/in/")
    assert "there is no such bucket" in nowhere.message
    assert refused("s3://").category == "not_found"
    put(s3, **{"big.txt": b"x" * 2**20, "huge.txt": b"x" * (2**20 + 1), "a.txt": b"one"})
    large = found("s3://papers")
    assert [getattr(source, "category", "") for source in large] == ["", "", "too_large"]
    assert "sources.download_mb" in large[2].message

    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    nobody = refused("s3://papers/in/")
    assert nobody.category == "not_allowed"
    assert "AWS_PROFILE" in nobody.message
    monkeypatch.setenv("AWS_PROFILE", "none-of-that-name")
    assert "none-of-that-name" in refused("s3://papers/in/").message


def test_no_secret_of_a_signature_is_told(s3, caplog):
    caplog.set_level(logging.DEBUG)
    put(s3, **{"a.txt": b"one"})
    said = repr((found("s3://papers"), found("s3://none-here")))
    for word in (SECRET, "X-Amz-Signature"):
        assert word not in said
    assert SECRET not in caplog.text


def test_an_endpoint_in_the_building_is_not_even_connected_to(pages, aws, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", pages.url.replace("http:", "https:"))
    assert refused("s3://papers/in/", SourcesConfig()).category == "private_address"
    monkeypatch.setenv("AWS_ENDPOINT_URL", pages.url)
    assert refused("s3://papers/in/", SourcesConfig()).category == "unsupported_source"
    assert pages.asked == []


LIST = """<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<Contents><Key>a.txt</Key><LastModified>2026-11-28T10:00:00.000Z</LastModified>
<ETag>"1"</ETag><Size>3</Size></Contents></ListBucketResult>"""
DENIED = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"


@pytest.mark.parametrize(
    ("answer", "category", "says"),
    [
        ((403, DENIED), "not_allowed", "S3 answers 403 AccessDenied; allow s3:ListBucket"),
        ((200, "<html>Welcome"), "not_fetched", "does not answer as S3 does"),
        ((200, '<!DOCTYPE x [<!ENTITY e "eeee">]><x>&f;</x>'), "not_fetched", "as S3 does"),
        ((301, ""), "not_fetched", "S3 answers 301"),
    ],
)
def test_a_bucket_that_answers_otherwise_is_told(pages, aws, monkeypatch, answer, category, says):
    monkeypatch.setenv("AWS_ENDPOINT_URL", pages.url)
    pages.answers["papers"] = [answer]
    told = refused("s3://papers")
    assert told.category == category
    assert says in told.message


def test_a_list_that_goes_round_in_circles_is_left(pages, aws, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", pages.url)
    goes_on = "<NextContinuationToken>7</NextContinuationToken></ListBucketResult>"
    again = (200, LIST.replace("</ListBucketResult>", goes_on))
    pages.answers = {"papers": [again], "papers/a.txt": [(200, "one")]}
    [taken, told] = found("s3://papers")
    assert taken.data == b"one"
    assert "broke off: its list begins again" in told.message
    assert pages.asked.count("papers") == 2


def test_an_object_that_may_not_be_read_says_who_has_to_allow_it(pages, aws, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", pages.url)
    pages.answers = {"papers": [(200, LIST)], "papers/a.txt": [(403, DENIED)]}
    told = refused("s3://papers")
    assert (told.path, told.category) == ("s3://papers/a.txt", "not_allowed")
    assert "s3:GetObject" in told.message


def test_a_bucket_of_another_region_is_asked_there_once(pages, aws, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", pages.url)
    elsewhere = (301, DENIED, {"x-amz-bucket-region": "ap-south-1"})
    pages.answers = {"papers": [elsewhere, (200, LIST)], "papers/a.txt": [(200, "one")]}
    assert [source.data for source in found("s3://papers")] == [b"one"]
    assert "us-east-1" in pages.queries[0]["X-Amz-Credential"]
    assert "ap-south-1" in pages.queries[1]["X-Amz-Credential"]
    pages.answers = {"papers": [elsewhere]}
    assert refused("s3://papers").category == "not_fetched"


def test_a_server_that_is_busy_is_asked_again(pages, aws, monkeypatch):
    monkeypatch.setattr("producer.remote.web.WAITS_S", (0.01, 0.01))
    monkeypatch.setenv("AWS_ENDPOINT_URL", pages.url)
    slow_down = (503, "<Error><Code>SlowDown</Code></Error>")
    pages.answers = {"papers": [(200, LIST)], "papers/a.txt": [slow_down, slow_down, (200, "one")]}
    assert [source.data for source in found("s3://papers")] == [b"one"]
    pages.answers = {"papers": [slow_down]}
    assert "S3 answers 503 SlowDown" in refused("s3://papers").message
    assert pages.asked.count("papers") == 1 + 3


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[GoogleStorage]:
    with GoogleStorage() as made:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", made.url)
        yield made


def test_google_is_read_alike(google, monkeypatch):
    monkeypatch.setattr(bucket_module, "PAGE", 2)
    google.objects = {f"in/ü {number}.txt": b"text %d" % number for number in range(5)}
    google.objects |= {"in/": b"", "inner.txt": b"no"}
    taken = found("gs://papers/in")
    assert names(taken) == [f"gs://papers/in/ü {number}.txt" for number in range(5)]
    assert taken[4].data == b"text 4"
    assert names(found("gs://papers/in/ü 3.txt")) == ["gs://papers/in/ü 3.txt"]
    assert "there is no such bucket or" in refused("gs://others").message
    google.status = 403
    assert "storage.objects.list" in refused("gs://papers").message


def test_without_credentials_google_says_how_to_have_some(monkeypatch, tmp_path):
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    told = refused("gs://papers")
    assert told.category == "not_allowed"
    assert "gcloud auth application-default login" in told.message


def test_an_extra_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr("producer.remote.place.import_module", _missing)
    for scheme in ("s3", "gs"):
        told = refused(f"{scheme}://papers")
        assert told.category == "unsupported_source"
        assert f"pip install 'docmill[{scheme}]'" in told.message


def _missing(name: str) -> None:
    raise ImportError(name)


@pytest.fixture
def look(database_url: str, s3: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Look]:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    place = place_at("s3://papers/in", Access(ALLOWED))
    return lambda: Watched(place, "s3://papers/in with s", 50, age_s=0).look(SPEC)


def test_a_watched_bucket_gives_what_is_new_or_changed_and_keeps_what_it_has(db, look, s3):
    assert look().batch is None
    put(s3, **{"in/a.txt": b"one", "in/b.txt": b"two"})
    assert look().fates == {Fate.NEW: 2}
    assert look().fates == {Fate.SAME: 2}
    put(s3, **{"in/a.txt": b"six", "in/b.txt": b"two", "in/c.txt": b"two", "in/d.txt": b"four"})
    again = look()
    assert again.fates == {Fate.CHANGED: 1, Fate.SAME: 1, Fate.TWIN: 1, Fate.NEW: 1}
    assert again.documents == 2
    paths = column(db, "SELECT path FROM documents ORDER BY id")
    assert paths == [f"s3://papers/in/{name}.txt" for name in "abad"]
    assert len(s3.list_objects_v2(Bucket="papers")["Contents"]) == 4


def test_a_watched_bucket_that_is_not_there_is_a_clear_error(database_url, s3):
    with pytest.raises(InputError, match="s3://none-here: there is no such bucket"):
        Watched(place_at("s3://none-here", Access(ALLOWED)), "w", 50, age_s=0).look(SPEC)


def test_of_a_list_that_breaks_off_all_that_it_named_is_submitted_or_refused(s3, monkeypatch):
    monkeypatch.setattr(bucket_module, "PAGE", 6)
    put(s3, **{f"in/{number}.txt": b"%d" % number for number in range(9)})
    put(s3, **{"in/3.txt": b"x" * (2**20 + 1), "z.txt": b"never reached"})
    page = bucket_module.Bucket._page
    asked: list[str | None] = []

    def broken(self, prefix, most, more):
        asked.append(more)
        if more:
            raise NotFetched("not_fetched", "nobody answers")
        return page(self, prefix, most, more)

    monkeypatch.setattr(bucket_module.Bucket, "_page", broken)
    *taken, large, four, five, last = list(
        gather(["s3://papers/in", "s3://papers/z.txt"], io.BytesIO(), 1, Access(ALLOWED))
    )
    assert names(taken) == [f"s3://papers/in/{number}.txt" for number in range(3)]
    assert (large.path, large.category) == ("s3://papers/in/3.txt", "too_large")
    assert (four.data, five.data) == (b"4", b"5")
    assert (last.path, last.category) == ("s3://papers/in", "broke_off")
    assert last.message == "s3://papers/in: the list broke off: nobody answers"


def test_a_list_that_breaks_off_is_taken_as_far_as_it_goes_and_told(db, look, monkeypatch, s3):
    monkeypatch.setattr(bucket_module, "PAGE", 2)
    put(s3, **{f"in/{number}.txt": b"%d" % number for number in range(5)})
    page, pages = bucket_module.Bucket._page, iter(range(9))

    def broken(self, *given):
        if next(pages) == 3:
            raise NotFetched("not_fetched", "nobody answers")
        return page(self, *given)

    monkeypatch.setattr(bucket_module.Bucket, "_page", broken)
    found = look()
    assert found.documents == 4
    assert ["the list broke off" in source.message for source in found.refused] == [True]
    monkeypatch.setattr(bucket_module.Bucket, "_page", page)
    assert look().fates == {Fate.SAME: 4, Fate.NEW: 1}
