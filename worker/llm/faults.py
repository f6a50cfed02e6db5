"""What a broken HTTP exchange means for a prompt, and how it is put into words.

Both engines send through aiohttp. Its bridges to httpx and httpx2 rename errors coarsely: a
server that hangs up in the middle of an answer comes out as `ConnectTimeout`. So the chain of
causes is read from its root, where the truth is.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

import aiohttp
import httpx  # noqa: TID251 - the names of its errors only
import httpx2

from worker.llm.engine import EngineError, Trouble

_SHOWN_CHARS = 300

_NOT_SENT = (Trouble.UNAVAILABLE, False)
_NO_ANSWER = (Trouble.TIMEOUT, True)
_CUT = (Trouble.SERVER_ERROR, True)
_NEVER = (Trouble.BAD_REQUEST, False)

_Table = tuple[tuple[tuple[type[BaseException], ...], tuple[Trouble, bool]], ...]

_MEANING: _Table = (
    (
        (
            aiohttp.ClientConnectorError,  # refused, unknown host, TLS
            aiohttp.ConnectionTimeoutError,
            aiohttp.ClientHttpProxyError,
            httpx.ConnectError,
            httpx2.ConnectError,
            httpx.ConnectTimeout,
            httpx2.ConnectTimeout,
            httpx.PoolTimeout,
            httpx2.PoolTimeout,
            httpx.ProxyError,
            httpx2.ProxyError,
        ),
        _NOT_SENT,
    ),
    ((aiohttp.ServerTimeoutError, httpx.TimeoutException, httpx2.TimeoutException), _NO_ANSWER),
    (
        (
            aiohttp.InvalidURL,
            aiohttp.NonHttpUrlClientError,
            httpx.InvalidURL,
            httpx2.InvalidURL,
            httpx.UnsupportedProtocol,
            httpx2.UnsupportedProtocol,
            httpx.LocalProtocolError,
            httpx2.LocalProtocolError,
        ),
        _NEVER,
    ),
    ((aiohttp.ClientError, httpx.HTTPError, httpx2.HTTPError), _CUT),
)
# Asked only where no library's own error is in the chain: aiohttp raises its own from these.
_BUILTIN: _Table = (
    ((TimeoutError,), _NO_ANSWER),
    # A text that cannot be encoded (a lone surrogate) fails before anything is sent.
    ((UnicodeError,), _NEVER),
)


def meaning(exc: BaseException) -> tuple[Trouble, bool]:
    """The trouble that an exception stands for, and whether the prompt may have been billed.

    What is not known is taken for an answer cut off: retried, and counted as possibly billed.
    """
    return _read(exc)[0]


def fault(exc: BaseException, where: str, secret: str = "") -> EngineError:
    """The EngineError for an exception that came instead of an answer from `where`."""
    (trouble, billed), link = _read(exc)
    said = brief(str(link), secret) or type(link).__name__
    return EngineError(trouble, f"{where}: {_HINT[trouble]}: {said}", maybe_billed=billed)


def _read(exc: BaseException) -> tuple[tuple[Trouble, bool], BaseException]:
    chain = list(_causes(exc))[::-1]
    return _first(_MEANING, chain) or _first(_BUILTIN, chain) or (_CUT, exc)


def _first(
    table: _Table, chain: list[BaseException]
) -> tuple[tuple[Trouble, bool], BaseException] | None:
    found = ((what, link) for link in chain for kinds, what in table if isinstance(link, kinds))
    return next(found, None)


_HINT = {
    Trouble.UNAVAILABLE: "cannot be reached, check that it runs at this address",
    Trouble.TIMEOUT: "no answer within the time limit",
    Trouble.SERVER_ERROR: "the connection broke before the answer was complete",
    Trouble.BAD_REQUEST: "the request could not be sent",
}


def brief(text: str, secret: str = "") -> str:
    """A foreign text on one line, cut to 300 characters, without the secret."""
    if secret:
        text = text.replace(secret, "[key]")
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"


def mentions(exc: BaseException, secret: str) -> bool:
    """Whether the text of an exception, or of one that it came from, holds the secret."""
    return bool(secret) and any(secret in f"{link} {link!r}" for link in _causes(exc))


def place(url: str) -> str:
    """A URL as it may be shown: without user, password and query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")


def _causes(exc: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = exc
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__
