"""What Bedrock's errors mean. Pure: status, headers and body in, error out.

The codes are those of
https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html. A code
may be loose: a model without access, one that wants an inference profile and a prompt that is too
long differ by their words alone (worker/llm/wordings.py). S3's codes, of batches, are those of
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
"""

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from worker.llm.engine import EngineError, Trouble
from worker.llm.faults import HINTS, brief, sends_on, shown
from worker.llm.headers import retry_after
from worker.llm.wordings import is_page, redirects, trouble_in, trouble_of

_CODES: Mapping[str, Trouble] = {
    "AccessDeniedException": Trouble.AUTH,
    "ExpiredToken": Trouble.AUTH,
    "ExpiredTokenException": Trouble.AUTH,
    "IncompleteSignature": Trouble.AUTH,
    "IncompleteSignatureException": Trouble.AUTH,
    "InvalidClientTokenId": Trouble.AUTH,
    "InvalidSignatureException": Trouble.AUTH,
    "MissingAuthenticationToken": Trouble.AUTH,
    "MissingAuthenticationTokenException": Trouble.AUTH,
    "NotAuthorized": Trouble.AUTH,
    "OptInRequired": Trouble.AUTH,
    "RequestExpired": Trouble.AUTH,
    "SignatureDoesNotMatch": Trouble.AUTH,
    "UnrecognizedClientException": Trouble.AUTH,
    "FTUFormNotFilled": Trouble.MODEL_NOT_FOUND,
    "MPAgreementBeingCreated": Trouble.MODEL_NOT_FOUND,
    "ResourceNotFoundException": Trouble.MODEL_NOT_FOUND,
    "ServiceQuotaExceededException": Trouble.QUOTA,
    "ThrottlingException": Trouble.RATE_LIMITED,
    "TooManyRequestsException": Trouble.RATE_LIMITED,
    "ModelNotReadyException": Trouble.UNAVAILABLE,
    "ServiceUnavailable": Trouble.UNAVAILABLE,
    "ServiceUnavailableException": Trouble.UNAVAILABLE,
    "ModelTimeoutException": Trouble.TIMEOUT,
    "ConflictException": Trouble.SERVER_ERROR,  # with a job that may be this very one
    "InternalFailure": Trouble.SERVER_ERROR,
    "InternalServerException": Trouble.SERVER_ERROR,
    "ModelErrorException": Trouble.SERVER_ERROR,
    "InvalidAction": Trouble.MISCONFIGURED,
    "UnknownOperationException": Trouble.MISCONFIGURED,
    "ValidationError": Trouble.BAD_REQUEST,
    "ValidationException": Trouble.BAD_REQUEST,
    # S3's
    "AccessDenied": Trouble.AUTH,
    "AuthorizationHeaderMalformed": Trouble.MISCONFIGURED,
    "InternalError": Trouble.SERVER_ERROR,
    "InvalidAccessKeyId": Trouble.AUTH,
    "InvalidToken": Trouble.AUTH,
    "NoSuchBucket": Trouble.MISCONFIGURED,
    "RequestTimeout": Trouble.UNAVAILABLE,
    "RequestTimeTooSkewed": Trouble.AUTH,
    "SlowDown": Trouble.RATE_LIMITED,
}
_BY_STATUS = {
    404: Trouble.MISCONFIGURED,
    408: Trouble.TIMEOUT,
    424: Trouble.SERVER_ERROR,
}
"""What a status without a code stands for here alone: then it was a proxy that answered, or no AWS
at all."""

_XML_HEAD = 200
"""Characters within which S3's errors begin."""

_LOOSE = (Trouble.BAD_REQUEST, Trouble.AUTH, Trouble.MODEL_NOT_FOUND, Trouble.SERVER_ERROR)
"""Where the words go before the code."""

_HINT = {
    **HINTS,
    Trouble.AUTH: "check the AWS credentials of this host, its clock, and what they may use",
    Trouble.QUOTA: "a quota of the account is used up, raise it in AWS's Service Quotas",
    Trouble.MODEL_NOT_FOUND: "check the model's name, and that this account has access to it in "
    "this region",
    Trouble.TIMEOUT: "the model took too long",
}
_CHECK = "that is no Bedrock runtime, check region and endpoint_url"
_WANTS_PROFILE = (
    "name an inference profile that holds this model, such as us.MODEL, eu.MODEL or global.MODEL"
)
_MAY_HAVE_RUN = {Trouble.SERVER_ERROR, Trouble.TIMEOUT, Trouble.CONTENT_FILTER}


@dataclass(frozen=True, slots=True)
class Said:
    """The parts of an error."""

    code: str
    message: str


def said_in(headers: Mapping[str, str], content: bytes) -> Said:
    """The parts of an error, from its headers and its body: JSON, or the XML of S3."""
    text = content.decode("utf-8", "replace").strip()
    body = _parsed(text) or _parsed_xml(text)
    code = headers.get("x-amzn-errortype") or body.get("__type") or body.get("code") or ""
    message = body.get("message") or body.get("Message") or text
    return Said(_bare(str(code)), str(message))


def said_of_record(error: object) -> Said:
    """The parts of the error of one record of a batch."""
    found = error if isinstance(error, dict) else {}
    return Said(_bare(str(found.get("errorCode") or "")), str(found.get("errorMessage") or ""))


def _bare(code: str) -> str:
    """`ThrottlingException:http://...` or `com.amazon.coral.service#ThrottlingException`"""
    return code.partition(":")[0].rpartition("#")[2]


def refusal(
    status: int,
    said: Said,
    headers: Mapping[str, str],
    where: str,
    secret: str = "",
    check: str = _CHECK,
) -> EngineError:
    """The EngineError of a reply whose status is not 200. `check`: what to do where it is another
    service that answered."""
    trouble = _trouble(status, said)
    hint = _hint(trouble, status, said, sends_on(headers.get("location", ""), secret)) or (
        check if trouble is Trouble.MISCONFIGURED else ""
    )
    return EngineError(
        trouble,
        f"{where} answered {status}{', ' * bool(hint)}{hint}: {_words(said, secret)}",
        status=status,
        retry_after_s=retry_after(headers, datetime.now(UTC)),
        maybe_billed=trouble in _MAY_HAVE_RUN,
    )


def _trouble(status: int, said: Said) -> Trouble:
    if redirects(status) or (not said.code and is_page(said.message) and status < 500):
        return Trouble.MISCONFIGURED
    by_code = _CODES.get(said.code) or _BY_STATUS.get(status) or trouble_of(status)
    by_words = None if is_page(said.message) else trouble_in(said.message)
    if by_code in _LOOSE:
        return by_words or by_code
    return Trouble.QUOTA if by_words is Trouble.QUOTA else by_code


def _hint(trouble: Trouble, status: int, said: Said, redirected: str) -> str:
    if redirects(status):
        return redirected
    if trouble is Trouble.MODEL_UNFIT and "inference profile" in said.message:
        return _WANTS_PROFILE
    return _HINT.get(trouble, "")


def _words(said: Said, secret: str) -> str:
    text = shown(said.message, secret)
    return f"{brief(said.code, secret)}: {text}" if said.code else text


def _parsed_xml(text: str) -> dict[str, Any]:
    """No parser of XML is let loose on what a server sends: two fields are read."""
    if "<Error>" not in text[:_XML_HEAD]:
        return {}
    found = {tag: re.search(f"<{tag}>([^<]*)</{tag}>", text) for tag in ("Code", "Message")}
    parts = {tag.lower(): html.unescape(match[1]) for tag, match in found.items() if match}
    return parts


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
