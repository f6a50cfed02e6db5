"""What is meant by an address: the kind of place that it names."""

import re
from collections.abc import Callable, Mapping
from hashlib import blake2b
from importlib import import_module
from typing import Any

from yarl import URL

from producer.places import NotFetched, Place, readable
from producer.remote.access import SAY_WHO, Access
from producer.remote.bucket import Bucket, Dialect
from producer.remote.dav import Dav
from producer.remote.https import Page
from producer.remote.mailbox import Mailbox
from producer.remote.reach import refuse_open_text
from producer.remote.web import Web

OPEN = ("http", "dav", "imap")
"""Kinds whose text is not encrypted on its way."""


def shown(address: str) -> str:
    """An address without what may be secret in it: who asks, and the query, which may be signed. A
    short hash takes its place, so that addresses that differ in it alone have two names."""
    try:
        url = URL(address)
        plain = str(url.with_user(None).with_query(None).with_fragment(None))
        return readable(plain) + _hashed(url.raw_query_string)
    except ValueError:
        scheme, _, rest = address.partition("://")
        kept = re.split("[?#]", rest.rpartition("@")[2])[0]
        return readable(f"{scheme}://{kept}")


def _hashed(query: str) -> str:
    return f"?{blake2b(query.encode(), digest_size=4).hexdigest()}" if query else ""


def place_at(address: str, access: Access) -> Place:
    """The place at an address. Raises NotFetched where there is no such kind, its extra is not
    installed, or there are no credentials for it."""
    scheme, _, rest = address.partition("://")
    try:
        kind = _KINDS[scheme.lower()]
    except KeyError:
        known = ", ".join(f"{name}://" for name in _KINDS if name not in OPEN)
        why = f"{scheme}: is not read, only {known} are; fetch it into a folder first"
        raise NotFetched("unsupported_source", why) from None
    return kind(address, rest, access)


def _page(address: str, _: str, access: Access) -> Place:
    return Page(shown(address), address, Web(access))


def _amazon(_: str, rest: str, access: Access) -> Place:
    bucket, _, key = rest.partition("/")
    return Bucket(f"s3://{bucket}", key, _dialect("s3", "amazon", "Amazon", bucket), Web(access))


def _google(_: str, rest: str, access: Access) -> Place:
    bucket, _, key = rest.partition("/")
    return Bucket(f"gs://{bucket}", key, _dialect("gs", "google", "Google", bucket), Web(access))


def _dav(address: str, _: str, access: Access) -> Place:
    url = _url(address)
    refuse_open_text(url.scheme, "davs", access.config)
    web_url = url.with_scheme("https" if url.scheme == "davs" else "http").with_user(None)
    password = url.password or access.password
    return Dav(_server(url), web_url, url.user, password, Web(access))


def _mailbox(address: str, _: str, access: Access) -> Place:
    url = _url(address)
    refuse_open_text(url.scheme, "imaps", access.config)
    password = url.password or access.password
    if not url.user or not password:
        raise NotFetched("not_allowed", f"a mailbox is somebody's: {SAY_WHO}")
    return Mailbox(_server(url, f"{url.user}@"), url, password, access)


def _server(url: URL, user: str = "") -> str:
    port = f":{url.explicit_port}" if url.explicit_port else ""
    return f"{url.scheme}://{user}{url.host_subcomponent}{port}"


def _url(address: str) -> URL:
    try:
        url = URL(address)
    except ValueError:
        url = URL()
    if not url.host:
        raise NotFetched("not_fetched", "that is no address")
    return url.with_query(None).with_fragment(None)


def _dialect(extra: str, module: str, name: str, bucket: str) -> Dialect:
    if not bucket:
        raise NotFetched("not_found", f"name a bucket: {extra}://BUCKET/PREFIX")
    try:
        speaks: Any = getattr(import_module(f"producer.remote.{module}"), name)
    except ImportError:
        why = f"{extra}:// needs a library that is not installed here"
        raise NotFetched("unsupported_source", f"{why}: pip install 'docmill[{extra}]'") from None
    dialect: Dialect = speaks(bucket)
    return dialect


_KINDS: Mapping[str, Callable[[str, str, Access], Place]] = {
    "https": _page,
    "http": _page,
    "s3": _amazon,
    "gs": _google,
    "davs": _dav,
    "dav": _dav,
    "imaps": _mailbox,
    "imap": _mailbox,
}
