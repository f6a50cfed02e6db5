"""What Replicate's replies mean. Pure: a reply in; a prediction, an answer or an EngineError out.

The statuses are those of https://replicate.com/docs/topics/predictions/lifecycle, the codes those
of https://replicate.com/docs/reference/error-codes. Language models of Replicate's own begin their
errors with codes that mean something else (replicate/cog-triton): `E1001 PromptRequired` is none of
the platform's `(E1001)`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from worker.llm.bodies import broken, object_in
from worker.llm.counts import count, seconds
from worker.llm.engine import Completion, EngineError, Finish, Request, Trouble, Usage
from worker.llm.faults import HINTS, brief, sends_on, sentence
from worker.llm.headers import retry_after
from worker.llm.wordings import is_page, redirects, trouble_in, trouble_of

STARTING = "starting"
_SUCCEEDED = "succeeded"
_FINAL = frozenset({_SUCCEEDED, "failed", "canceled", "aborted"})

_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_VERSION = re.compile(r"[0-9a-f]{64}")
_PLATFORM_CODE = re.compile(r"\((E\d{3,4})\)")
_UNGIVEN = re.compile(r"\binput: \w+ is required", re.IGNORECASE)
_RESETS = re.compile(r"resets in ~?(\d+(?:\.\d+)?) ?s", re.IGNORECASE)

_BY_CODE = {
    "E005": Trouble.CONTENT_FILTER,
    "E1001": Trouble.NO_MEMORY,
    "E6716": Trouble.UNAVAILABLE,  # it did not start in time
}
_PLAIN = frozenset({401, 402, 404, 429})
"""What these say needs no words; a throttled account is told of its credit, too."""

_HINT = {
    **HINTS,
    Trouble.AUTH: "check REPLICATE_API_TOKEN, or whatever names the token",
    Trouble.QUOTA: "add credit to the account",
    Trouble.RATE_LIMITED: "too many predictions a minute",
    Trouble.MISCONFIGURED: "check base_url (Replicate's own ends with /v1)",
    Trouble.MODEL_NOT_FOUND: "check the model: OWNER/NAME is for official ones, all others are "
    "written OWNER/NAME:VERSION",
    Trouble.MODEL_UNFIT: "choose another model or max_tokens, this one cannot do that",
    Trouble.NO_MEMORY: "the model does not fit into its hardware, choose a smaller one",
}


@dataclass(frozen=True, slots=True)
class Prediction:
    """One run of a model, as far as it has come."""

    id: str
    status: str
    body: Mapping[str, Any]

    @property
    def is_final(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in _FINAL

    @property
    def is_starting(self) -> bool:
        """Whether it waits for a machine: it has cost nothing yet."""
        return self.status == STARTING

    @property
    def engine_seconds(self) -> float | None:
        """Seconds that the model ran, without what it took to start."""
        return seconds(self._metrics.get("predict_time"), 1)

    @property
    def usage(self) -> Usage:
        """Tokens, which only official language models state."""
        stated = self._metrics
        return Usage(
            input_tokens=count(stated.get("input_token_count")),
            output_tokens=count(stated.get("output_token_count")),
        )

    @property
    def ran(self) -> bool:
        """Whether the model worked on it."""
        return bool(self.body.get("started_at")) or self.engine_seconds is not None

    @property
    def model(self) -> str | None:
        """What answered, with the version where one is stated."""
        name, version = (_word(self.body.get(key)) for key in ("model", "version"))
        if name and version and _VERSION.fullmatch(version):
            return f"{name}:{version}"
        return name or version

    @property
    def _metrics(self) -> Mapping[str, Any]:
        return _object(self.body.get("metrics"))


def prediction(content: bytes, where: str) -> Prediction:
    """The Prediction of a reply with status 2xx. Raises EngineError where it holds none."""
    body = object_in(content, where, check=_HINT[Trouble.MISCONFIGURED])
    id_, status = _word(body.get("id")), _word(body.get("status"))
    # The id becomes a part of addresses, to which the key is sent.
    if id_ is None or status is None or not _ID.fullmatch(id_):
        raise broken("the reply is no prediction", where)
    return Prediction(id_, status, body)


def completion(
    done: Prediction, request: Request, latency_ms: int, where: str, secret: str
) -> Completion:
    """The Completion of a prediction that has ended. Raises EngineError where it ended badly."""
    if done.status != _SUCCEEDED:
        raise _failure(done, where, secret)
    usage = done.usage
    # No reason is stated for the end. Who wrote all that was allowed was cut off.
    cut = usage.output_tokens is not None and usage.output_tokens >= request.max_tokens
    return Completion(
        text=_text(done.body.get("output")),
        finish=Finish.LENGTH if cut else Finish.STOP,
        latency_ms=latency_ms,
        usage=usage,
        model_answered=done.model,
        engine_seconds=done.engine_seconds,
    )


def account_in(content: bytes, where: str) -> str:
    """Whose token it is. Raises EngineError where the reply is none of Replicate's."""
    return brief(
        _word(object_in(content, where, check=_HINT[Trouble.MISCONFIGURED]).get("username"))
        or "an account without a name"
    )


def detail_in(content: bytes) -> str | None:
    """What a refusal says, on any number of lines; None: it has not the form of Replicate's."""
    try:
        detail = _object(json.loads(content)).get("detail")
    except (ValueError, RecursionError):
        return None
    return detail if isinstance(detail, str | None) else json.dumps(detail)


def refusal(
    status: int, content: bytes, headers: Mapping[str, str], where: str, secret: str
) -> EngineError:
    """The EngineError of a reply whose status is not 2xx."""
    detail = detail_in(content)
    text = content.decode("utf-8", "replace").strip() if detail is None else detail
    trouble = _trouble(status, text, ours=detail is not None)
    redirected = sends_on(headers.get("location", ""), secret) if redirects(status) else ""
    hint = redirected or _HINT.get(trouble, "")
    wait = retry_after(headers, datetime.now(UTC))
    resets = _RESETS.search(text) if trouble is Trouble.RATE_LIMITED else None
    return EngineError(
        trouble,
        sentence(f"{where} answered {status}", hint, text, secret),
        status=status,
        retry_after_s=float(resets[1]) if wait is None and resets is not None else wait,
        maybe_billed=trouble in (Trouble.SERVER_ERROR, Trouble.TIMEOUT),
    )


def _trouble(status: int, text: str, *, ours: bool) -> Trouble:
    """`ours`: it came in the form of Replicate's errors."""
    if redirects(status) or (not ours and status in (400, 404)):
        return Trouble.MISCONFIGURED
    by_status = trouble_of(status)
    if status in _PLAIN or is_page(text):
        return by_status
    if status == 422 and _UNGIVEN.search(text):
        return Trouble.MODEL_UNFIT  # it wants something else than a prompt
    return trouble_in(text) or by_status


def _failure(done: Prediction, where: str, secret: str) -> EngineError:
    """The EngineError of a prediction that failed, or that somebody ended."""
    error = done.body.get("error")
    text = error if isinstance(error, str) else json.dumps(error) if error else ""
    trouble = _failed(done.status, text)
    return EngineError(
        trouble,
        sentence(f"{where}: prediction {done.status}", _HINT.get(trouble, ""), text, secret),
        status=200,
        maybe_billed=done.ran,
        usage=done.usage,
        engine_seconds=done.engine_seconds,
    )


def _failed(status: str, text: str) -> Trouble:
    if status == "aborted":  # its deadline came before it ran
        return Trouble.UNAVAILABLE
    code = _PLATFORM_CODE.search(text)
    by_code = _BY_CODE.get(code[1]) if code is not None else None
    return by_code or trouble_in(text) or Trouble.SERVER_ERROR


def _text(output: object) -> str:
    """Language models write pieces, which are joined; some write one text, or an object."""
    if isinstance(output, list):
        return "".join(map(_piece, output))
    return "" if output is None else _piece(output)


def _piece(output: object) -> str:
    return output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _word(value: object) -> str | None:
    return value if isinstance(value, str) else None
