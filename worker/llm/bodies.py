"""What the body of a request is, and what that of an answer with status 200 holds. Pure."""

import json
from typing import Any

from worker.llm.engine import UNREPORTED, EngineError, Trouble, Usage
from worker.llm.faults import brief, fault
from worker.llm.wordings import is_no_api

_SECRET_CHARS = 16
"""A shorter key is a placeholder (EMPTY, none, token): a word that answers may well hold."""


def encoded(body: object, where: str) -> bytes:
    """The JSON of a body, as it is sent. Raises EngineError where its text cannot be encoded."""
    try:
        return json.dumps(body, ensure_ascii=False).encode()
    except UnicodeError as exc:
        raise fault(exc, where) from exc


def json_in(content: bytes, where: str, secret: str = "", check: str = "check base_url") -> Any:
    """The JSON of a body. Raises EngineError where it holds none: a page is no API's at all, and
    `check` says what to do about it."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise no_json(content, brief(str(exc), secret), where, check) from exc


def no_json(content: bytes, why: str, where: str, check: str = "check base_url") -> EngineError:
    """The EngineError of a body without JSON, or of its front."""
    if is_no_api(content.decode("utf-8", "replace")):
        said = f"{where} answered with a page and no JSON, {check}"
        return EngineError(Trouble.MISCONFIGURED, said, status=200)
    return broken(f"the answer is not JSON ({why})", where)


def object_in(
    content: bytes, where: str, secret: str = "", check: str = "check base_url"
) -> dict[str, Any]:
    """The JSON object of a body, without what the server repeats of our key: that goes into no
    answer and no table. Raises EngineError where it holds none."""
    reply = json_in(content, where, secret, check)
    if not isinstance(reply, dict):
        raise broken("the answer is not a JSON object", where)
    if len(secret) < _SECRET_CHARS:
        return reply
    try:
        found: dict[str, Any] = _without(reply, secret)
    except RecursionError as exc:
        raise broken("the answer is nested too deeply", where) from exc
    return found


def broken(what: str, where: str, usage: Usage = UNREPORTED) -> EngineError:
    """The EngineError of an answer that is none. `usage`: what it took all the same."""
    said = f"{where}: {what}"
    return EngineError(Trouble.SERVER_ERROR, said, status=200, maybe_billed=True, usage=usage)


def _without(value: Any, secret: str) -> Any:
    if isinstance(value, str):
        return value.replace(secret, "[key]")
    if isinstance(value, dict):
        return {key: _without(item, secret) for key, item in value.items()}
    return [_without(item, secret) for item in value] if isinstance(value, list) else value
