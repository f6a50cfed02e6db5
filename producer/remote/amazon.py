"""S3, and what speaks as it does: addresses that boto3 signs, from AWS's usual chain.

boto3 knows credentials, regions, endpoints and their variables, and sends nothing to a bucket: its
own client would connect wherever it is led, and hold each list of a page twice.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus
from xml.etree import ElementTree

import boto3  # noqa: TID251 - a module that knows AWS
from botocore.config import Config  # noqa: TID251
from botocore.exceptions import BotoCoreError  # noqa: TID251
from yarl import URL

from producer.places import NotFetched, changed_ns
from producer.remote.bucket import Listed, Object
from producer.remote.web import Answered, Request

_CODE = re.compile(rb"<Code>([A-Za-z0-9]{1,60})</Code>")
_REGION = re.compile(r"[a-z0-9-]{1,40}")
_CONFIG = Config(signature_version="s3v4")
_ALLOW = (
    "allow s3:ListBucket on it and s3:GetObject on its objects to the credentials in use, "
    "or name others: AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
)


class Amazon:
    """How S3 is asked for a bucket. Raises NotFetched where AWS's own configuration is broken."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._region: str | None = None
        self._client = self._made()

    def _made(self) -> Any:
        try:
            return boto3.Session().client("s3", region_name=self._region, config=_CONFIG)
        except (BotoCoreError, ValueError) as exc:
            raise NotFetched("not_allowed", f"AWS's configuration: {exc}") from None

    def listing(self, prefix: str, most: int, more: str | None) -> Request:
        """As `Dialect` has it."""
        asked = {"Prefix": prefix, "MaxKeys": most, "EncodingType": "url"}
        return self._signed(
            "list_objects_v2", asked | ({"ContinuationToken": more} if more else {})
        )

    def content(self, key: str) -> Request:
        """As `Dialect` has it."""
        return self._signed("get_object", {"Key": key})

    def _signed(self, method: str, asked: dict[str, object]) -> Request:
        """Blocks while credentials are fetched or renewed."""
        try:
            url = self._client.generate_presigned_url(method, {"Bucket": self._bucket, **asked})
        except Exception as exc:  # the border: the chain runs programs and asks servers of its own
            raise NotFetched("not_allowed", f"{exc}; {_ALLOW}") from None
        return Request(URL(url, encoded=True))

    def listed(self, answer: bytes) -> Listed:
        """As `Dialect` has it. https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html"""
        try:
            root = ElementTree.fromstring(answer)  # noqa: S314 - expat ends what entities blow up
            written = unquote_plus if root.findtext("{*}EncodingType") == "url" else str
            found = [_object(entry, written) for entry in root.iterfind("{*}Contents")]
        except (ElementTree.ParseError, ValueError):
            raise NotFetched("not_fetched", "its server does not answer as S3 does") from None
        return Listed(found, root.findtext("{*}NextContinuationToken") or None)

    def explained(self, answered: Answered) -> NotFetched | None:
        """As `Dialect` has it: a bucket in another region is asked there."""
        region = answered.headers.get("x-amz-bucket-region", "")
        if self._region is None and _REGION.fullmatch(region) and answered.status in (301, 400):
            self._region = region
            self._client = self._made()
            return None
        code = _CODE.search(answered.said)
        return _explained(answered, code[1].decode() if code else "")


def _explained(answered: Answered, code: str) -> NotFetched:
    said = f"S3 answers {answered.status} {code}".rstrip()
    if code == "NoSuchBucket":
        return NotFetched("not_found", f"there is no such bucket ({said})")
    if answered.status in (401, 403):
        return NotFetched("not_allowed", f"{said}; {_ALLOW}")
    return NotFetched(answered.category, said)


def _object(entry: ElementTree.Element, written: Callable[[str], str]) -> Object:
    """`written`: how its key is spelled. AWS writes a space as +, others as %20, some as it is."""

    def told(name: str) -> str:
        return entry.findtext(f"{{*}}{name}") or ""

    changed = changed_ns(datetime.fromisoformat, told("LastModified"))
    return Object(written(told("Key")), int(told("Size")), changed, told("ETag").strip('"'))
