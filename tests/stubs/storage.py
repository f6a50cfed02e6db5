"""As much of Google Cloud Storage as reading a bucket takes; it refuses what the real one refuses.

https://cloud.google.com/storage/docs/json_api/v1/objects/list and .../get
"""

import hashlib
from collections.abc import Mapping

from aiohttp import web

from tests.stubs.pages import Served

MOST = 1_000
LISTING = {"prefix", "maxResults", "pageToken", "fields"}


class GoogleStorage(Served):
    """One bucket, called papers. `token`: what asks has to bear it; `status`: what is answered
    instead."""

    def __init__(self) -> None:
        super().__init__()
        self.objects: Mapping[str, bytes] = {}
        self.token: str | None = None
        self.status: int | None = None

    async def answer(self, name: str, request: web.Request) -> web.StreamResponse:
        if (
            self.token is not None
            and request.headers.get("Authorization") != f"Bearer {self.token}"
        ):
            return web.json_response({"error": {"code": 401}}, status=401)
        if self.status is not None:
            return web.json_response({"error": {"code": self.status}}, status=self.status)
        if name == "storage/v1/b/papers/o":
            return self._list(request.query)
        folder, _, key = name.partition("/o/")
        if folder != "storage/v1/b/papers" or key not in self.objects:
            return web.json_response({"error": {"code": 404}}, status=404)
        assert request.query == {"alt": "media"}
        return web.Response(body=self.objects[key])

    def _list(self, query: Mapping[str, str]) -> web.StreamResponse:
        assert set(query) <= LISTING, query
        most = min(MOST, int(query["maxResults"]))
        begin = query.get("pageToken", "")
        names = sorted(
            name for name in self.objects if name.startswith(query["prefix"]) and name > begin
        )
        page: dict[str, object] = {
            "items": [
                {
                    "name": name,
                    "size": str(len(self.objects[name])),
                    "updated": "2026-11-28T10:00:00.123Z",
                    "generation": hashlib.md5(self.objects[name]).hexdigest(),
                }
                for name in names[:most]
            ]
        }
        if not names:
            page = {}
        if len(names) > most:
            page["nextPageToken"] = names[most - 1]
        return web.json_response(page)
