"""What is meant by an address: the kind of place that it names."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from yarl import URL

from models.config import SourcesConfig
from producer.places import NotFetched, Place, readable
from producer.remote.bucket import Bucket, Dialect
from producer.remote.https import Page
from producer.remote.reach import MayReach
from producer.remote.web import Web


def shown(address: str) -> str:
    """An address without what may be secret in it: who asks, and the query, which may be signed."""
    try:
        url = URL(address)
        return readable(str(url.with_user(None).with_query(None).with_fragment(None)))
    except ValueError:
        return readable(address.partition("?")[0])


def place_at(address: str, config: SourcesConfig, may_reach: MayReach | None = None) -> Place:
    """The place at an address. Raises NotFetched where there is no such kind, its extra is not
    installed, or there are no credentials for it."""
    scheme, _, rest = address.partition("://")
    try:
        kind = _KINDS[scheme.lower()]
    except KeyError:
        known = ", ".join(f"{name}://" for name in _KINDS if name != "http")
        why = f"{scheme}: is not read, only {known} are; fetch it into a folder first"
        raise NotFetched("unsupported_source", why) from None
    return kind(address, rest, Web(config, may_reach))


def _page(address: str, _: str, web: Web) -> Place:
    return Page(shown(address), address, web)


def _amazon(_: str, rest: str, web: Web) -> Place:
    bucket, _, key = rest.partition("/")
    return Bucket(f"s3://{bucket}", key, _dialect("s3", "amazon", "Amazon", bucket), web)


def _google(_: str, rest: str, web: Web) -> Place:
    bucket, _, key = rest.partition("/")
    return Bucket(f"gs://{bucket}", key, _dialect("gs", "google", "Google", bucket), web)


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


_KINDS: Mapping[str, Callable[[str, str, Web], Place]] = {
    "https": _page,
    "http": _page,
    "s3": _amazon,
    "gs": _google,
}
