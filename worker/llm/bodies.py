"""What the body of an answer with status 200 holds. Pure."""

import json
from typing import Any

from worker.llm.engine import UNREPORTED, EngineError, Trouble, Usage
from worker.llm.faults import brief
from worker.llm.wordings import is_no_api

_SECRET_CHARS = 16
"""A shorter key is a placeholder (EMPTY, none, token): a word that answers may well hold."""


def json_in(content: bytes, where: str, secret: str = "", check: str = "check base_url") -> Any:
    """The JSON of a body. Raises EngineError where it holds none: a page is no API's at all, and
    `check` says what to do about it."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as exc:
        if is_no_api(content.decode("utf-8", "replace")):
            said = f"{where} answered with a page and no JSON, {check}"
            raise EngineError(Trouble.MISCONFIGURED, said, status=200) from exc
        raise broken(f"the answer is not JSON ({brief(str(exc), secret)})", where) from exc


def object_in(
    content: bytes, where: str, secret: str = "", check: str = "check base_url"
) -> dict[str, Any]:
    """The JSON object of a body, without what the server repeats of our key: that goes into no
    answer and no table. Raises EngineError where it holds none."""
    reply = json_in(content, where, secret, check)
    if not isinstance(reply, dict):
        raise broken("the answer is not a JSON object", where)
    found: dict[str, Any] = _without(reply, secret) if len(secret) >= _SECRET_CHARS else reply
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
