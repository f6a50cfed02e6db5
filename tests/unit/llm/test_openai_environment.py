"""What the environment says of proxies and certificates is used, or said to be of no use."""

import pytest

from models.errors import ConfigError
from worker.llm.openai.engine import OpenAIEngine

URL = "https://host.example/v1"


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


async def made(url=URL, key="sk-test", **options):
    await OpenAIEngine(url, key, **options).close()


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"ALL_PROXY": "socks://me:word@127.0.0.1:1"}, ["ALL_PROXY", "socks://127.0.0.1:1"]),
        ({"HTTPS_PROXY": "socks5h://127.0.0.1:1"}, ["HTTPS_PROXY", "NO_PROXY"]),
        ({"HTTPS_PROXY": "http://[::1"}, ["HTTPS_PROXY"]),
        ({"SSL_CERT_FILE": "/nonexistent/ca.pem"}, ["SSL_CERT_FILE", "/nonexistent/ca.pem"]),
        ({"SSL_CERT_FILE": __file__}, ["SSL_CERT_FILE", "PEM"]),
    ],
)
async def test_what_cannot_be_used_is_named_in_one_line(environment, said, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        await made()
    message = str(caught.value)
    assert all(word in message for word in said), message
    assert "\n" not in message
    assert ":word" not in message


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({"ALL_PROXY": "socks://127.0.0.1:1", "HTTPS_PROXY": "http://127.0.0.1:2"}, URL),
        ({"ALL_PROXY": "socks://127.0.0.1:1", "NO_PROXY": "host.example"}, URL),
        ({"ALL_PROXY": "socks://127.0.0.1:1", "NO_PROXY": "*"}, URL),
        ({"HTTPS_PROXY": "socks5://127.0.0.1:1"}, "http://host.example/v1"),
        ({"HTTPS_PROXY": "127.0.0.1:2"}, URL),
        ({"ALL_PROXY": ""}, URL),
    ],
)
async def test_what_is_not_used_for_an_address_does_not_matter(environment, url, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    await made(url)


async def test_an_engine_that_heeds_no_environment_minds_none(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks://127.0.0.1:1")
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent/ca.pem")
    await made(proxied=False)


@pytest.mark.parametrize("key", ["sk-te st", "sk-te\nst", "sk-te\u200bst", "schlüssel"])
async def test_a_key_that_no_header_carries_is_refused_and_not_shown(key):
    with pytest.raises(ConfigError) as caught:
        await made(key=key)
    assert key not in str(caught.value)
    assert "FRONTIER_API_KEY" in str(caught.value)
