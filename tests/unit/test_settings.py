import pytest

from worker.settings import Secrets


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    for name in ("FRONTIER_API_KEY", "AICREDITS_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("written", "key"),
    [("sk-test", "sk-test"), ("sk-test\r\n", "sk-test"), (" sk-test ", "sk-test"), (" \n", None)],
)
def test_a_key_is_read_without_what_a_file_puts_around_it(written, key, monkeypatch):
    monkeypatch.setenv("FRONTIER_API_KEY", written)
    found = Secrets().frontier_api_key
    assert (found.get_secret_value() if found else None) == key


def test_without_a_key_there_is_none():
    assert Secrets().frontier_api_key is None
