"""Google Cloud Storage: its JSON API, with a token of Google's usual chain."""

import json
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import google.auth
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request as Transport
from yarl import URL

from producer.places import NotFetched, changed_ns
from producer.remote.bucket import Listed, Object
from producer.remote.web import Answered, Request

READ_ONLY = "https://www.googleapis.com/auth/devstorage.read_only"
STORAGE = "https://storage.googleapis.com"
EMULATOR = "STORAGE_EMULATOR_HOST"
"""Google's own variable for another address; nobody signs in there."""

_ALLOW = (
    "allow storage.objects.list and storage.objects.get on it to the credentials in use, or name "
    "others: GOOGLE_APPLICATION_CREDENTIALS, or `gcloud auth application-default login`"
)


class Google:
    """How Google is asked for a bucket. Raises NotFetched where there are no credentials."""

    def __init__(self, bucket: str, environment: Mapping[str, str] = os.environ) -> None:
        other = environment.get(EMULATOR, "").rstrip("/")
        self._credentials: Any = _anonymous() if other else _credentials()
        address = other if "://" in other else f"http://{other}"
        self._objects = f"{address if other else STORAGE}/storage/v1/b/{quote(bucket, safe='')}/o"

    def listing(self, prefix: str, most: int, more: str | None) -> Request:
        """As `Dialect` has it."""
        fields = "nextPageToken,items(name,size,updated,generation)"
        asked = f"?prefix={quote(prefix, safe='')}&maxResults={most}&fields={quote(fields)}"
        return self._signed(asked + (f"&pageToken={quote(more, safe='')}" if more else ""))

    def content(self, key: str) -> Request:
        """As `Dialect` has it."""
        return self._signed(f"/{quote(key, safe='')}?alt=media")

    def _signed(self, rest: str) -> Request:
        """Blocks while a token is fetched or renewed."""
        url, headers = self._objects + rest, dict[str, str]()
        try:
            self._credentials.before_request(Transport(), "GET", url, headers)
        except GoogleAuthError as exc:
            raise NotFetched("not_allowed", f"{exc}; {_ALLOW}") from None
        return Request(URL(url, encoded=True), headers=headers)

    def listed(self, answer: bytes) -> Listed:
        """As `Dialect` has it. https://cloud.google.com/storage/docs/json_api/v1/objects/list"""
        try:
            page = json.loads(answer)
            found = [_object(item) for item in page.get("items", ())]
        except (ValueError, AttributeError, KeyError, TypeError):
            said = "its server does not answer as Google's storage does"
            raise NotFetched("not_fetched", said) from None
        return Listed(found, page.get("nextPageToken") or None)

    def explained(self, answered: Answered) -> NotFetched:
        """As `Dialect` has it."""
        said = f"Google answers {answered.status}"
        if answered.status == 404:
            return NotFetched("not_found", f"there is no such bucket or object ({said})")
        if answered.status in (401, 403):
            return NotFetched("not_allowed", f"{said}; {_ALLOW}")
        return NotFetched(answered.category, said)


def _anonymous() -> Any:
    return AnonymousCredentials()  # type: ignore[no-untyped-call]


def _credentials() -> Any:
    try:
        return google.auth.default(scopes=[READ_ONLY])[0]
    except GoogleAuthError as exc:
        raise NotFetched("not_allowed", f"no Google credentials: {exc}; {_ALLOW}") from None


def _object(item: Mapping[str, str]) -> Object:
    changed = changed_ns(datetime.fromisoformat, item["updated"])
    return Object(item["name"], int(item["size"]), changed, item["generation"])
