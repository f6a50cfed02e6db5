import pytest

from models.errors import ConfigError
from worker.llm.ollama.engine import base_url


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("127.0.0.1", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:9000", "http://127.0.0.1:9000"),
        ("http://0.0.0.0:9000/", "http://127.0.0.1:9000"),
        ("gpu-box", "http://gpu-box:11434"),
        ("gpu-box:8080", "http://gpu-box:8080"),
        ("http://gpu-box:8080/", "http://gpu-box:8080"),
        ("http://gpu-box:8080///", "http://gpu-box:8080"),
        ("http://gpu-box", "http://gpu-box"),  # a written scheme brings its own port
        ("https://ollama.example.com", "https://ollama.example.com"),
        ("https://example.com/ollama/", "https://example.com/ollama"),
        ("https://user:word@example.com/ollama", "https://user:word@example.com/ollama"),
        ("::1", "http://[::1]:11434"),
        ("::", "http://[::1]:11434"),
        ("[::1]:9000", "http://[::1]:9000"),
        (":9000", "http://127.0.0.1:9000"),
        ("", "http://127.0.0.1:11434"),
        (' "127.0.0.1:11434" ', "http://127.0.0.1:11434"),
    ],
)
def test_an_address_of_ollama_becomes_a_url(host, url):
    assert base_url(host) == url


@pytest.mark.parametrize("host", ["host:port", "host:99999", "ftp://host", "http://[::1"])
def test_an_address_that_is_none_is_named_in_the_error(host):
    with pytest.raises(ConfigError) as caught:
        base_url(host)
    assert host in str(caught.value)
