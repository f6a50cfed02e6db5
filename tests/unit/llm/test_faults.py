"""No exception of the network stack or the SDK leaves an engine under its own name."""

import inspect

import aiohttp
import httpx2
import openai  # noqa: TID251 - the names of its errors
import pytest

from worker.llm.engine import EngineError, Message, Request, Trouble
from worker.llm.faults import billed_if, brief, fault, mentions, place, sends_on
from worker.llm.ollama.engine import OllamaEngine
from worker.llm.openai.engine import OpenAIEngine

REQUEST = Request("m", (Message("user", "hello"),), 10, 100)
URL = "http://127.0.0.1:9"

DOWN, SLOW = (Trouble.UNAVAILABLE, False), (Trouble.TIMEOUT, True)
CUT, NEVER = (Trouble.SERVER_ERROR, True), (Trouble.BAD_REQUEST, False)
NOWHERE = (Trouble.MISCONFIGURED, False)

HTTPX = {
    "ConnectError": DOWN,
    "ConnectTimeout": DOWN,
    "PoolTimeout": DOWN,
    "ProxyError": DOWN,
    "TimeoutException": SLOW,
    "ReadTimeout": SLOW,
    "WriteTimeout": SLOW,
    "InvalidURL": NOWHERE,
    "UnsupportedProtocol": NOWHERE,
    "LocalProtocolError": NOWHERE,
    "HTTPError": CUT,
    "HTTPStatusError": CUT,
    "RequestError": CUT,
    "TransportError": CUT,
    "NetworkError": CUT,
    "ReadError": CUT,
    "WriteError": CUT,
    "CloseError": CUT,
    "ProtocolError": CUT,
    "RemoteProtocolError": CUT,
    "DecodingError": CUT,
    "TooManyRedirects": CUT,
    "CookieConflict": CUT,
    "StreamError": CUT,
    "StreamConsumed": CUT,
    "StreamClosed": CUT,
    "ResponseNotRead": CUT,
    "RequestNotRead": CUT,
    "SSEError": CUT,
}
STATUS = {  # class -> a status it comes with, and what that means
    "BadRequestError": (400, NEVER),
    "AuthenticationError": (401, (Trouble.AUTH, False)),
    "OAuthError": (401, (Trouble.AUTH, False)),
    "PermissionDeniedError": (403, (Trouble.AUTH, False)),
    "NotFoundError": (404, NOWHERE),
    "ConflictError": (409, CUT),
    "UnprocessableEntityError": (422, NEVER),
    "RateLimitError": (429, (Trouble.RATE_LIMITED, False)),
    "InternalServerError": (500, CUT),
    "APIStatusError": (418, NEVER),
}
OTHER = {
    "OpenAIError": CUT,
    "_AmbiguousModuleClientUsageError": CUT,
    "APIError": CUT,
    "APIConnectionError": CUT,
    "APITimeoutError": SLOW,
    "APIResponseValidationError": CUT,
    "LengthFinishReasonError": CUT,
    "ContentFilterFinishReasonError": CUT,
    "InvalidWebhookSignatureError": CUT,
    "SubjectTokenProviderError": CUT,
    "WebSocketConnectionClosedError": CUT,
    "WebSocketQueueFullError": CUT,
}


def meaning(exc):
    error = fault(exc, "there")
    return error.trouble, error.maybe_billed


def errors_of(*modules):
    classes = {c for m in modules for _, c in inspect.getmembers(m, inspect.isclass)}
    return {c for c in classes if issubclass(c, Exception) and not issubclass(c, Warning)}


def bare(cls):
    """An instance without the arguments that its own constructor and text insist on."""
    silent = type(cls.__name__, (cls,), {"__str__": lambda _: "", "__repr__": lambda _: ""})
    return silent.__new__(silent)


async def raised_by(engine, monkeypatch, method, exc):
    async def broken(*_args, **_kwargs):
        raise exc

    monkeypatch.setattr(engine, method, broken)
    try:
        with pytest.raises(EngineError) as caught:
            await engine.complete(REQUEST)
    finally:
        await engine.close()
    return caught.value.trouble, caught.value.maybe_billed


@pytest.mark.parametrize(
    ("exc", "expected"),
    [
        (aiohttp.ConnectionTimeoutError(), DOWN),
        (aiohttp.ServerTimeoutError(), SLOW),
        (TimeoutError(), SLOW),
        (aiohttp.InvalidURL("x"), NOWHERE),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), NEVER),
        (aiohttp.ServerDisconnectedError(), CUT),
        (aiohttp.ClientOSError(104, "reset"), CUT),
        (aiohttp.ClientPayloadError(), CUT),
        (ValueError("what nobody expects"), CUT),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_what_goes_wrong_comes_out_of_the_ollama_engine_typed(exc, expected, monkeypatch):
    assert await raised_by(OllamaEngine(URL), monkeypatch, "_exchange", exc) == expected


async def test_every_httpx2_error_comes_out_of_the_openai_engine_typed(monkeypatch):
    classes = errors_of(httpx2)
    assert {c.__name__ for c in classes} == set(HTTPX)
    for cls in classes:
        engine = OpenAIEngine(URL, "sk-key")
        assert await raised_by(engine, monkeypatch, "_create", bare(cls)) == HTTPX[cls.__name__]


async def test_every_error_of_the_sdk_comes_out_of_the_openai_engine_typed(monkeypatch):
    classes = {c for c in errors_of(openai, openai._exceptions) if "openai" in c.__module__}
    assert {c.__name__ for c in classes} == set(STATUS) | set(OTHER)
    for cls in classes:
        exc, expected = bare(cls), OTHER.get(cls.__name__)
        if issubclass(cls, openai.APIStatusError):
            exc.status_code, expected = STATUS[cls.__name__]
            exc.response, exc.body = httpx2.Response(exc.status_code), None
        if cls is openai.APITimeoutError:  # the SDK raises it from the timeout itself
            exc.__cause__ = httpx2.ReadTimeout("")
        engine = OpenAIEngine(URL, "sk-key")
        assert await raised_by(engine, monkeypatch, "_create", exc) == expected, cls


def test_every_error_of_aiohttp_has_a_meaning():
    for cls in errors_of(aiohttp.client_exceptions):
        trouble, _ = meaning(bare(cls))
        assert trouble in (DOWN[0], SLOW[0], CUT[0], NOWHERE[0])


@pytest.mark.parametrize(
    ("root", "shown", "expected"),
    [
        (aiohttp.ServerDisconnectedError(), httpx2.ConnectTimeout("x"), CUT),
        (aiohttp.ClientOSError(104, "reset"), httpx2.ConnectTimeout("x"), CUT),
        (aiohttp.SocketTimeoutError(), httpx2.ReadTimeout("x"), SLOW),
        (aiohttp.ConnectionTimeoutError(), httpx2.ConnectTimeout("x"), DOWN),
        (TimeoutError(), aiohttp.ConnectionTimeoutError(), DOWN),
        (ConnectionRefusedError(), bare(aiohttp.ClientConnectorError), DOWN),
    ],
)
def test_the_root_of_the_chain_decides_and_not_the_name_it_was_given(root, shown, expected):
    shown.__cause__ = root
    assert meaning(shown) == expected


@pytest.mark.parametrize(
    ("exc", "expected"),
    [
        (TimeoutError(), SLOW),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates"), NEVER),
        (RuntimeError("?"), CUT),
    ],
)
def test_errors_of_the_language_itself_have_a_meaning(exc, expected):
    assert meaning(exc) == expected


def test_a_chain_that_bites_its_tail_ends():
    one, two = ValueError("a"), ValueError("b")
    one.__cause__, two.__cause__ = two, one
    assert meaning(one) == CUT


def test_the_message_names_the_place_and_hides_the_secret():
    error = fault(RuntimeError("bad key sk-1"), "https://host/v1", "sk-1")
    assert "https://host/v1" in str(error)
    assert "sk-1" not in str(error)


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://host/v1/chat/completions", "to https://host/v1/chat/completions;"),
        ("https://me:word@host/v1?key=1", "to https://host/v1;"),
        ("/login", "to /login;"),
        ("", "to another address;"),
    ],
)
def test_a_redirect_names_where_it_leads_without_a_password(location, shown):
    assert shown in sends_on(location)


def test_long_foreign_texts_are_cut_to_one_short_line():
    assert brief("a\n  b") == "a b"
    assert len(brief("x" * 5000)) == 300


@pytest.mark.parametrize(
    "url",
    [
        "https://user:word@host:8/v1/?key=1",
        "https://user:wo/rd@host:8/v1",
        "https://user:wo?r#d@host:8/v1",
        "https://user:w@rd@host:8/v1",
    ],
)
def test_a_shown_address_holds_no_password(url):
    assert place(url) == "https://host:8/v1"
    assert place(url.removeprefix("https://")) == "host:8/v1"


KEY = "sk-docmill-0123456789abcdef"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f"key {KEY} is wrong", "key [key] is wrong"),
        (f"key {KEY[:14]}... is wrong", "key [key]... is wrong"),
        (f"key ...{KEY[-12:]} is wrong", "key ...[key] is wrong"),
        (f"{KEY}{KEY}", "[key][key]"),
        (f"no route to http://me:{KEY}@host/v1", "no route to http://host/v1"),
        ("no route to http://me:my@word@host/v1", "no route to http://host/v1"),
        ("sk-docmill-: no such key, ask@host", "sk-docmill-: no such key, ask@host"),
    ],
)
def test_a_key_that_a_server_repeats_is_hidden_whole_or_cut_off(said, shown):
    assert brief(said, KEY) == shown
    assert mentions(RuntimeError(said), KEY) == (said != shown)


@pytest.mark.parametrize(
    ("begins", "status", "stated", "billed"),
    [
        (True, 500, True, True),
        (True, 503, False, True),
        (True, 529, False, True),
        (True, None, True, True),
        (True, None, False, False),
        (True, 400, False, False),
        (True, 429, False, False),
        (True, 200, True, True),
        (False, 500, True, False),
        (False, None, True, False),
    ],
)
def test_only_what_begins_work_is_billed_unless_it_is_plainly_refused(
    begins, status, stated, billed
):
    error = EngineError(Trouble.SERVER_ERROR, "x", status=status, maybe_billed=stated)
    with pytest.raises(EngineError) as caught, billed_if(begins):
        raise error
    assert caught.value is error
    assert error.maybe_billed is billed
