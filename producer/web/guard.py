"""Who may talk to the page, and what every answer says to the browser.

The page has no log-in, so two things protect it: the Host header must be one of its own names (a
foreign site that rebinds its DNS name to this machine is refused), and whatever changes something
must come from the page itself (a foreign site that posts a form is refused).
"""

import ipaddress
import socket
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producer.web.view import refusal_page

SAFE_METHODS = frozenset({"GET", "HEAD"})
WILDCARDS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  # names to recognise, not to listen on
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

HEADERS = {
    "content-security-policy": "default-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # not no-referrer: browsers would then send "Origin: null" with the page's own forms
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
STATIC_CACHING = "no-cache"


class Guard:
    """Middleware that refuses foreign names and foreign forms, and sets the headers."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._host = bare(host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                _set_headers(MutableHeaders(scope=message), scope["path"])
            await send(message)

        headers = Headers(scope=scope)
        app = self._app
        if not is_own_name(headers.get("host", ""), self._host):
            app = refusal_page(400, "This page does not go by that name: check the address.")
        elif scope["method"] not in SAFE_METHODS and not is_same_origin(headers):
            app = refusal_page(403, "Refused: the request did not come from this page.")
        await app(scope, receive, send_guarded)


def _set_headers(headers: MutableHeaders, path: str) -> None:
    if path.startswith("/static/"):
        headers["cache-control"] = STATIC_CACHING
    for name, value in HEADERS.items():
        headers.setdefault(name, value)


def bare(host: str) -> str:
    """A host as comparable text: no brackets, no case, no dot at its end."""
    return host.strip().strip("[]").lower().rstrip(".")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens there."""
    try:
        return ipaddress.ip_address(bare(host)).is_loopback
    except ValueError:
        return bare(host) == "localhost"


def is_own_name(host_header: str, listening: str) -> bool:
    """Whether a Host header names this page.

    A page that listens everywhere goes by every address of its machine; addresses cannot be
    rebound, only names can.
    """
    try:
        name = bare(urlsplit(f"//{host_header}").hostname or "")
    except ValueError:
        return False
    if name in LOOPBACK or (name and name == listening):
        return True
    return listening in WILDCARDS and (_is_address(name) or name == bare(socket.gethostname()))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_same_origin(headers: Headers) -> bool:
    """Whether a browser says that a request was made by this page itself.

    Sec-Fetch-Site is sent to https and loopback only; Origin, to all, is the other witness.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    try:
        return urlsplit(headers.get("origin", "")).netloc.lower() == headers["host"].lower()
    except ValueError:
        return False
