"""What a broken HTTP exchange means for a prompt, and how it is put into words.

Both engines send through aiohttp. Its bridge to httpx2, under the openai package, renames errors
coarsely: a server that hangs up in the middle of an answer comes out as `ConnectTimeout`. So the
chain of causes is read from its root, where the truth is.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import aiohttp
import httpx2

from worker.llm.engine import EngineError, Trouble
from worker.llm.wordings import is_page

_SHOWN_CHARS = 300
_READ_CHARS = 20 * _SHOWN_CHARS
_PIECE_CHARS = 12
_ACCOUNT = re.compile(r"://[^/\s\"'<>]*@")

_NOT_SENT = (Trouble.UNAVAILABLE, False)
_NO_ANSWER = (Trouble.TIMEOUT, True)
_CUT = (Trouble.SERVER_ERROR, True)
_NEVER = (Trouble.BAD_REQUEST, False)
_NOWHERE = (Trouble.MISCONFIGURED, False)

_Table = tuple[tuple[tuple[type[BaseException], ...], tuple[Trouble, bool]], ...]

_MEANING: _Table = (
    (
        (
            aiohttp.ClientConnectorError,  # refused, unknown host, TLS
            aiohttp.ConnectionTimeoutError,
            aiohttp.ClientHttpProxyError,
            httpx2.ConnectError,
            httpx2.ConnectTimeout,
            httpx2.PoolTimeout,
            httpx2.ProxyError,
        ),
        _NOT_SENT,
    ),
    ((aiohttp.ServerTimeoutError, httpx2.TimeoutException), _NO_ANSWER),
    (
        (
            aiohttp.InvalidURL,
            aiohttp.NonHttpUrlClientError,
            httpx2.InvalidURL,
            httpx2.UnsupportedProtocol,
            httpx2.LocalProtocolError,
        ),
        _NOWHERE,
    ),
    ((aiohttp.ClientError, httpx2.HTTPError), _CUT),
)
# Asked only where no library's own error is in the chain: aiohttp raises its own from these.
_BUILTIN: _Table = (
    ((TimeoutError,), _NO_ANSWER),
    # A text that cannot be encoded (a lone surrogate) fails before anything is sent.
    ((UnicodeError,), _NEVER),
)


def fault(exc: BaseException, where: str, secret: str = "") -> EngineError:
    """The EngineError for an exception that came instead of an answer from `where`.

    What is not known is taken for an answer cut off: retried, and counted as possibly billed.
    """
    chain = list(_causes(exc))[::-1]
    (trouble, billed), link = _first(_MEANING, chain) or _first(_BUILTIN, chain) or (_CUT, exc)
    said = brief(str(link), secret) or type(link).__name__
    return EngineError(trouble, f"{where}: {_HINT[trouble]}: {said}", maybe_billed=billed)


@contextmanager
def billed_if(begins: bool) -> Iterator[None]:
    """Says of an error whether it may be billed, where work is begun by one request and goes on
    without us: if it `begins` the work, whatever is no plain refusal may have begun it."""
    try:
        yield
    except EngineError as exc:
        plain = not exc.maybe_billed and (exc.status is None or exc.status < 500)
        exc.maybe_billed = begins and not plain
        raise


def _first(
    table: _Table, chain: list[BaseException]
) -> tuple[tuple[Trouble, bool], BaseException] | None:
    found = ((what, link) for link in chain for kinds, what in table if isinstance(link, kinds))
    return next(found, None)


HINTS: Mapping[Trouble, str] = {
    Trouble.MODEL_UNFIT: "docmill.toml asks more of this model than it does: lower max_tokens, or "
    "choose another",
    Trouble.CONTEXT_EXCEEDED: "the prompt is too long for this model",
    Trouble.CONTENT_FILTER: "the provider refused this text",
    Trouble.UNAVAILABLE: "not ready",
}
"""What to do about the troubles of a hosted model, whoever hosts it."""

_HINT = {
    Trouble.UNAVAILABLE: "cannot be reached, check that it runs at this address",
    Trouble.TIMEOUT: "no answer within the time limit",
    Trouble.SERVER_ERROR: "the connection broke before the answer was complete",
    Trouble.MISCONFIGURED: "nothing can be sent to this address, mend it in docmill.toml",
    Trouble.BAD_REQUEST: "the request could not be sent",
}


def brief(text: str, secret: str = "", most: int = _SHOWN_CHARS) -> str:
    """A foreign text on one line, cut to so many characters, without secrets."""
    text = " ".join(without(text[:_READ_CHARS], secret).split())
    return text if len(text) <= most else text[: most - 1] + "…"


def shown(text: str, secret: str = "") -> str:
    """A server's words as they may be shown; those of a page are none."""
    return "a web page" if is_page(text) else brief(text, secret) or "no text"


def sentence(what: str, hint: str, text: str, secret: str = "") -> str:
    """What a server answered, what to do about it, and its words."""
    return f"{what}{', ' * bool(hint)}{hint}: {shown(text, secret)}"


def without(text: str, secret: str = "") -> str:
    """A text without the secret, its pieces, and the user and password of any URL.

    Servers repeat keys whole or cut off: 12 characters in a row of it are taken for the key.
    """
    text = _ACCOUNT.sub("://", text)
    size = min(len(secret), _PIECE_CHARS)
    pieces = {secret[at : at + size] for at in range(len(secret) - size + 1)} - {""}
    kept, end = [], 0
    for at, character in enumerate(text):
        if text[at : at + size] in pieces:
            kept.append("[key]" if at >= end else "")
            end = at + size
        elif at >= end:
            kept.append(character)
    return "".join(kept)


def mentions(exc: BaseException, secret: str) -> bool:
    """Whether the text of an exception, or of one that it came from, holds a secret."""
    texts = (f"{link} {link!r}" for link in _causes(exc))
    return any(text != without(text, secret) for text in texts)


def place(url: str) -> str:
    """A URL as it may be shown: without user, password and query.

    Any text will do. All up to the last @ goes, for a password may hold a / ? or #.
    """
    scheme = re.match(r"\w+://|", url)
    assert scheme is not None
    shown = url.removeprefix(scheme[0]).rpartition("@")[2]
    return scheme[0] + re.split("[?#]", shown)[0].rstrip("/")


def sends_on(location: str, secret: str = "") -> str:
    """What a redirect says, and what to do about it. `location`: its header, which may be empty."""
    target = brief(place(location), secret) or "another address"
    return f"it sends on to {target}; prompts are not sent on, so write the address that answers"


def _causes(exc: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = exc
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__
