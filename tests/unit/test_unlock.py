"""Locks are taken from PDFs in a process of their own, and no file stops the next one."""

import io
import json

import pytest

from models.config import LimitsConfig
from models.errors import InputError
from producer import unlock as door
from producer.unlock import Unlocker, passwords_of
from tests.pdfs import made
from worker.read.pdf import read
from worker.unlock import serve, unlocked

LOCKED = made("Shut.", password="schlüssel", owner="owner")
OPEN = made("Open.", owner="owner")


def test_a_file_is_unlocked_by_the_password_that_opens_it():
    found = unlocked(LOCKED, ["wrong", "schlüssel"])
    assert isinstance(found, bytes)
    assert read(found, "a.pdf").whole == "Shut."
    assert unlocked(found, []) == "open"


@pytest.mark.parametrize(
    ("data", "passwords", "why"),
    [
        (LOCKED, [], "locked"),
        (LOCKED, ["wrong", ""], "locked"),
        (OPEN, ["wrong"], "open"),
        (made("No lock."), ["wrong"], "open"),
        (b"%PDF-1.4 nothing", ["wrong"], "damaged"),
    ],
)
def test_a_file_that_is_not_unlocked_says_why(data, passwords, why):
    assert unlocked(data, passwords) == why


def test_one_file_after_the_other_is_served():
    head = {"passwords": ["schlüssel"], "memory_bytes": 8 << 30}
    files = [LOCKED, OPEN, LOCKED]
    source = io.BytesIO(
        json.dumps(head).encode() + b"\n" + b"".join(b"%d\n" % len(f) + f for f in files)
    )
    sink = io.BytesIO()
    assert serve(source, sink) == 0
    sink.seek(0)
    size = int(sink.readline())
    assert read(sink.read(size), "a.pdf").whole == "Shut."
    assert sink.readline() == b"open\n"
    assert int(sink.readline()) > 0


def test_a_child_opens_files_and_one_that_dies_is_replaced(monkeypatch):
    with Unlocker(["schlüssel"], LimitsConfig()) as unlocker:
        assert unlocker("text/plain", LOCKED) is LOCKED
        assert unlocker("application/pdf", OPEN) is OPEN
        assert read(unlocker("application/pdf", LOCKED), "a.pdf").whole == "Shut."
        assert unlocker._child is not None
        unlocker._child.kill()
        unlocker._child.wait()
        assert unlocker("application/pdf", LOCKED) is LOCKED  # of this one nobody knows
        assert unlocker("application/pdf", LOCKED) is not LOCKED
        assert (unlocker.opened, unlocker.shut) == (2, 1)


def test_without_a_password_no_child_is_started(monkeypatch):
    monkeypatch.setattr(door.subprocess, "Popen", None)
    with Unlocker((), LimitsConfig()) as unlocker:
        assert unlocker("application/pdf", LOCKED) is LOCKED
    assert (unlocker.opened, unlocker.shut) == (0, 0)


def test_passwords_come_from_an_option_and_a_file_each_once(tmp_path):
    file = tmp_path / "passwords"
    file.write_text("\ufeffone\n\ntwo words\none\n")
    assert passwords_of("zero", file) == ("zero", "one", "two words")
    assert passwords_of(None, None) == ()


@pytest.mark.parametrize(
    ("data", "said"), [(None, "No such file"), (b"\xff", "not text"), (b"\n", "no password")]
)
def test_a_file_of_passwords_that_cannot_be_used_is_said(tmp_path, data, said):
    file = tmp_path / "passwords"
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(InputError, match=said):
        passwords_of(None, file)
