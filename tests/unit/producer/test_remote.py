"""Which addresses documents may be fetched from, and what is shown of them."""

import pytest

from models.errors import InputError
from producer.cli.submit import _named
from producer.remote.access import PASSWORD_NAME, source_password
from producer.remote.amazon import Amazon
from producer.remote.place import shown
from producer.remote.reach import is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:f5ff:fffe",
        "64:ff9b:1::a00:1",
        "fec0::1",
        "::127.0.0.1",
        "::10.0.0.1",
    ],
)
def test_addresses_of_private_networks_are_not_reached_in_whatever_form(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_those_of_the_internet_are(address):
    assert is_public(address)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://ann:secret@host.example/a.pdf?s=secret#p", "https://host.example/a.pdf?292d004b"),
        ("https://host.example:8443/a b.pdf", "https://host.example:8443/a%20b.pdf"),
        ("https://[bad?secret", "https://[bad"),
        ("imaps://ann:s[cret@host.example/INBOX", "imaps://host.example/INBOX"),
        ("davs://ann:pa#ss@host.example/p", "davs://host.example/p"),
        ("https://ann:pw/1@host.example/x?sig=1", "https://host.example/x"),
    ],
)
def test_no_secret_of_an_address_is_shown(address, said):
    assert shown(address) == said


def test_addresses_that_differ_in_their_query_alone_have_two_names():
    one, other = (shown(f"https://host.example/get?file={n}&sig=secret") for n in (1, 2))
    assert one != other
    assert one == shown("https://ann@host.example/get?file=1&sig=secret#page=2")
    assert "secret" not in one + other


def test_a_password_comes_of_a_file_s_first_line_or_else_of_the_variable(tmp_path, monkeypatch):
    monkeypatch.setenv(PASSWORD_NAME, "of the variable")
    file = tmp_path / "password"
    file.write_text(" with spaces \nsecond line\n")
    assert source_password(file) == " with spaces "
    assert source_password(None) == "of the variable"
    monkeypatch.delenv(PASSWORD_NAME)
    assert source_password(None) == ""
    for wrong in (tmp_path / "none", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            source_password(wrong)
    file.write_text("\nsecond line")
    with pytest.raises(InputError, match="holds no password"):
        source_password(file)


@pytest.mark.parametrize(
    ("encoding", "spelled", "key"),
    [
        ("url", "a+b%2Bc%20d.pdf", "a b+c d.pdf"),
        ("", "a+b%2Bc.pdf", "a+b%2Bc.pdf"),
    ],
)
def test_a_key_is_read_as_its_server_spells_it(encoding, spelled, key):
    said = f"<EncodingType>{encoding}</EncodingType>" if encoding else ""
    entry = f"<Key>{spelled}</Key><Size>4</Size><LastModified>2026-01-01T00:00:00Z</LastModified>"
    answer = f"<ListBucketResult>{said}<Contents>{entry}</Contents></ListBucketResult>"
    listed = Amazon.listed(object.__new__(Amazon), answer.encode())
    assert [found.key for found in listed.objects] == [key]


def test_what_a_submit_repeats_of_its_words_holds_no_secret():
    assert _named(["in", "https://host.example/a.pdf"]) == "in https://host.example/a.pdf"
    for secret in ("https://ann:pw@host.example/a.pdf", "https://host.example/a.pdf?sig=1"):
        assert _named(["in", secret]) == "PATHS"
