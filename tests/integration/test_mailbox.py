"""A mail folder behind IMAP: each message a document, and nothing there is changed."""

import io
import re
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from models.config import SourcesConfig
from models.kinds import MAIL
from models.spec import make_spec
from producer.places import Refused
from producer.remote import mailbox as mailbox_module
from producer.remote.access import Access
from producer.remote.mailbox import encoded
from producer.remote.place import place_at
from producer.sources import Source, gather
from producer.watch.look import Fate, Look, Watched
from tests.rows import column
from tests.stubs.imap import PASSWORD, USER, MailServer, Script

ALLOWED = SourcesConfig(private=True, download_mb=1, download_seconds=20)
KNOWN = Access(ALLOWED, PASSWORD)
SPEC = make_spec({"asks": [{"ask": "Sum up.", "task": "summary"}]}, "test")


def mail(text: str) -> bytes:
    """With the ends of lines of this host, as pymap's folders have them."""
    head = f"From: bob@host.example\nTo: {USER}\nSubject: {text[:9]}\n"
    return f"{head}Message-ID: <{len(text)}@host.example>\n\n{text}\n".encode()


@pytest.fixture
def server(tmp_path: Path) -> MailServer:
    return MailServer(tmp_path)


def found(
    port: int, folder: str = "", access: Access = KNOWN, scheme: str = "imap"
) -> list[Source]:
    address = f"{scheme}://{USER}@127.0.0.1:{port}/{folder}"
    return list(gather([address], io.BytesIO(), 1, access))


def refused(port: int, folder: str = "", access: Access = KNOWN, scheme: str = "imap") -> Refused:
    [source] = found(port, folder, access, scheme)
    assert isinstance(source, Refused)
    return source


def test_each_message_is_a_document_and_stays_as_it_was(server, monkeypatch):
    monkeypatch.setattr(mailbox_module, "AT_ONCE", 2)
    monkeypatch.setattr(mailbox_module, "PART_BYTES", 100)
    mails = [mail(f"rent {number} " * 40 * number) for number in range(1, 6)]
    for number, message in enumerate(mails):
        server.deliver(message, number)
    server.deliver(mail("elsewhere"), 9, "Entwürfe & mehr")
    with server.running():
        taken = found(server.port)
        assert sorted(source.data for source in taken) == sorted(mails)
        assert {source.media_type for source in taken} == {MAIL}
        name = rf"imap://{USER}@127.0.0.1:{server.port}/INBOX/\d+.eml"
        assert all(re.fullmatch(name, source.path) for source in taken)
        [other] = found(server.port, "Entwürfe & mehr")
        assert other.data == mail("elsewhere")
        assert found(server.port, "INBOX") == taken
    # a flag, \Seen among them, would stand in the name of a file, and move it
    assert {path.parent.name for path in server.files()} == {"new"}
    assert sorted(server.files().values()) == sorted([*mails, mail("elsewhere")])


def test_who_may_not_ask_and_what_is_not_there_say_what_to_do(server):
    with server.running():
        wrong = refused(server.port, access=Access(ALLOWED, "wrong"))
        assert (wrong.category, "DOCMILL_SOURCE_PASSWORD" in wrong.message) == ("not_allowed", True)
        assert refused(server.port, access=Access(ALLOWED)).category == "not_allowed"
        assert refused(server.port, "None/of it").category == "not_found"
    gone = refused(server.port)
    assert gone.category == "not_fetched"
    assert "nobody answers" in gone.message


def test_private_addresses_and_open_text_are_refused(server):
    strict = Access(SourcesConfig(), PASSWORD)
    with Script({}) as script:
        assert refused(script.port, access=strict, scheme="imaps").category == "private_address"
        assert refused(script.port, access=strict).category == "unsupported_source"
        assert script.said == []


def test_a_server_that_nobody_vouches_for_is_not_told_a_password(tmp_path):
    with Script({}, _self_signed(tmp_path)) as script:
        told = refused(script.port, scheme="imaps")
        assert told.category == "not_fetched"
        assert "certificate" in told.message
        assert script.said == []


def _self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(1))
    pem = serialization.Encoding.PEM
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    both = made.sign(key, hashes.SHA256()).public_bytes(pem) + key.private_bytes(pem, *plain)
    (folder / "server.pem").write_bytes(both)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


def test_only_commands_that_change_nothing_are_sent():
    body = b"* 1 FETCH (UID 5 BODY[]<0> {4}\r\nText)\r\n"
    with Script({"UID": body}) as script:
        [taken] = found(script.port, "Archive/2026")
        assert taken.data == b"Text"
        sent = [line.split(b" ", 1)[1].strip() for line in script.said]
    assert sent == [
        b"CAPABILITY",
        b'LOGIN "ann@acme.example" "s\xc3\xa9cret \\"word\\\\"',
        b'LIST "" ""',
        b'EXAMINE "Archive.2026"',
        b"FETCH 1:1 (UID RFC822.SIZE)",
        b"UID FETCH 5 (BODY.PEEK[]<0.4194304>)",
        b"LOGOUT",
    ]


@pytest.mark.parametrize(
    ("answers", "category", "says"),
    [
        ({"CAPABILITY": None}, "not_fetched", "nobody answers|as IMAP does"),
        ({"LOGIN": b"{tag} NO [AUTHENTICATIONFAILED] s\xc3\xa9cret\r\n"}, "not_allowed", "in;"),
        ({"EXAMINE": b"{tag} NO no such\r\n"}, "not_found", "no mail folder of that name"),
        ({"FETCH": b"{tag} BAD what\r\n"}, "not_fetched", "broke|does not list"),
        ({"FETCH": None}, "not_fetched", "the connection broke"),
        ({"FETCH": b"* 1 FETCH (UID 5 RFC822.SIZE 9000000)\r\n"}, "too_large", "download_mb"),
        ({"UID": b""}, "not_found", "not there any more"),
        ({"UID": b"{tag} NO [LIMIT] later\r\n"}, "not_fetched", "refuses a part of it"),
        ({"UID": b"* 1 FETCH (BODY[] {99999999999}\r\n"}, "not_fetched", "broke, twice"),
        ({"UID": None}, "not_fetched", "the connection broke, twice"),
    ],
)
def test_a_server_that_answers_otherwise_is_told(answers, category, says):
    with Script(answers) as script:
        told = refused(script.port)
    assert told.category == category
    assert re.search(says, told.message)
    assert "sécret" not in told.message


@pytest.mark.parametrize(
    "answers",
    [
        {"UID": b"* 1 FETCH (UID 5 BODY[]<0> {4000}\r\nTe"},
        {"CAPABILITY": b"* CAPABILITY A {4000}\r\n"},
    ],
)
def test_a_server_that_takes_its_time_is_left(answers):
    hurried = Access(ALLOWED.model_copy(update={"download_seconds": 0.5}), PASSWORD)
    with Script(answers) as script:
        assert "download_seconds" in refused(script.port, access=hurried).message


def test_a_server_that_never_stops_is_left(monkeypatch):
    monkeypatch.setattr(mailbox_module, "MOST_HEARD", 1_000)
    with Script({"FETCH": b"* 1 FETCH (UID 5 RFC822.SIZE 4)\r\n" * 40}) as script:
        assert "the connection broke" in refused(script.port).message


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("INBOX", "INBOX"),
        ("A & B", "A &- B"),
        ("Entwürfe", "Entw&APw-rfe"),
        ("台北", "&U,BTFw-"),
        ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
    ],
)
def test_names_of_folders_are_written_as_the_standard_has_it(name, written):
    assert encoded(name) == written


@pytest.fixture
def look(database_url: str, server: MailServer, monkeypatch) -> Iterator[Callable[[], Look]]:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    place = place_at(f"imap://{USER}@127.0.0.1:{server.port}", KNOWN)
    with server.running():
        yield lambda: Watched(place, "mail with s", 50, age_s=0).look(SPEC)


def test_a_watched_mailbox_gives_each_message_once(db, look, server):
    assert look().batch is None
    server.deliver(mail("one"), 1)
    assert look().fates == {Fate.NEW: 1}
    server.deliver(mail("two, longer"), 2)
    server.deliver(mail("one"), 3)
    assert look().fates == {Fate.SAME: 1, Fate.NEW: 1, Fate.TWIN: 1}
    assert look().fates == {Fate.SAME: 3}
    assert len(column(db, "SELECT path FROM documents")) == 2
    assert {path.parent.name for path in server.files()} == {"new"}


def test_messages_that_are_numbered_anew_are_not_submitted_again(db, look, server, monkeypatch):
    monkeypatch.setattr("producer.submit.BLOCK", 1)
    for number, text in enumerate("abc"):
        server.deliver(mail(text), number)
    assert look().documents == 3
    server.number_anew()
    for number, text in enumerate("dea"):
        server.deliver(mail(text), number)
    assert look().fates[Fate.CHANGED] == 2
    assert look().fates == {Fate.SAME: 3}
    assert len(column(db, "SELECT path FROM documents")) == 5
