import pytest

from worker.settings import secret_of


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("sk-test", "sk-test"),
        ("sk-test\r\n", "sk-test"),
        (" sk-test ", "sk-test"),
        (" \n", None),
        ("", None),
        (None, None),
    ],
)
def test_a_key_is_read_without_what_a_file_puts_around_it(written, key, monkeypatch):
    if written is not None:
        monkeypatch.setenv("SOME_KEY", written)
    found = secret_of("SOME_KEY")
    assert (found.get_secret_value() if found else None) == key
    assert "sk-test" not in f"{found} {found!r}"
