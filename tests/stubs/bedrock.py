"""AWS Bedrock on loopback: Converse in REST-JSON, and its jobs with a little S3; see server.py."""

from typing import Any, ClassVar
from urllib.parse import unquote

import orjson
from aiohttp import web

from tests.stubs.batches import Asked, Worked
from tests.stubs.bedrock_batches import S3, InvocationJobs, storage_error
from tests.stubs.broken import Fault
from tests.stubs.knobs import BedrockKnobs
from tests.stubs.process import main
from tests.stubs.record import Prompt
from tests.stubs.server import Stub

_TYPE = "x-amzn-errortype"


def _error(status: int, code: str, message: str, *headers: tuple[str, str]) -> Fault:
    late = code in ("InternalServerException", "ModelErrorException", "ModelTimeoutException")
    kind = (_TYPE, f"{code}:http://internal.amazon.com/coral/com.amazon.bedrock/")
    return Fault(status, {"message": message}, (kind, *headers), late=late)


def _invalid(message: str) -> Fault:
    return _error(400, "ValidationException", message)


def _returned(message: str) -> Fault:
    return _invalid(f"The model returned the following errors: {message}")


class BedrockStub(Stub):
    """Converse, and the list by which its health is asked. Wants requests that are signed."""

    knobs: BedrockKnobs
    faults: ClassVar[dict[str, Fault]] = {
        "throttled": _error(
            429,
            "ThrottlingException",
            "Too many requests, please wait before trying again.",
            ("retry-after", "0.1"),
        ),
        "daily": _error(
            429,
            "ThrottlingException",
            "Too many tokens per day, please wait before trying again.",
        ),
        "quota": _error(
            400, "ServiceQuotaExceededException", "Your request exceeds the service quota."
        ),
        "not_ready": _error(429, "ModelNotReadyException", "The model is not ready."),
        "503": _error(
            503,
            "ServiceUnavailableException",
            "Bedrock is unable to process your request.",
        ),
        "500": _error(
            500,
            "InternalServerException",
            "The system encountered an unexpected error during processing.",
        ),
        "model_error": _error(424, "ModelErrorException", "The model failed to respond."),
        "slow_model": _error(408, "ModelTimeoutException", "Model has timed out in processing."),
        "no_access": _error(
            403,
            "AccessDeniedException",
            "You don't have access to the model with the specified model ID.",
        ),
        "denied": _error(
            403,
            "AccessDeniedException",
            "User: arn:aws:iam::111122223333:user/me is not authorized to perform: "
            "bedrock:ListAsyncInvokes on resource: * because no identity-based policy allows it",
        ),
        "wrong_key": _error(
            403,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        "expired": _error(
            403,
            "ExpiredTokenException",
            "The security token included in the request is expired",
        ),
        "404": _error(
            404,
            "ResourceNotFoundException",
            "This model version has reached the end of its life.",
        ),
        "unknown_model": _invalid("The provided model identifier is invalid."),
        "on_demand": _invalid(
            "Invocation of model ID meta.llama3-3-70b-instruct-v1:0 with on-demand throughput "
            "isn\u2019t supported. Retry your request with the ID or ARN of an inference profile "
            "that contains this model."
        ),
        "max_tokens": _invalid(
            "The maximum tokens you requested exceed the model limit of 4096. Try again with a "
            "maximum tokens value that is lower than 4096."
        ),
        "too_long": _invalid("Input is too long for requested model."),
        "400": _invalid("A conversation must start with a user message."),
        "filtered": _returned("Output blocked by content filtering policy"),
        "307": Fault(307, "", (("location", "http://127.0.0.1:9/"),)),
        "wrong_service": _error(404, "UnknownOperationException", ""),
    }

    def __init__(self, **knobs: Any) -> None:
        super().__init__(BedrockKnobs(), **knobs)
        self.last_path = ""
        self._jobs = InvocationJobs(self.batches, self.knobs, self._answered_later)

    @property
    def storage_url(self) -> str:
        """Where S3 is."""
        return self.url + S3

    async def route(self, request: web.BaseRequest) -> web.StreamResponse:
        self.last_path = request.raw_path
        path = request.raw_path.partition("?")[0].split("/")
        if "Authorization" not in request.headers:
            said = _error(
                403, "MissingAuthenticationTokenException", "Missing Authentication Token"
            )
            return self._failed(request, said)
        if (reply := await self._jobs.route(request)) is not None:
            return reply
        match request.method, path:
            case "POST", ["", "model", model, "converse"]:
                body = orjson.loads(await request.read())
                return await self.answer(self._prompt(unquote(model), body), request)
            case "GET", ["", "async-invoke"]:
                health = self.knobs.health and self.faults[self.knobs.health]
                listed = web.json_response({"asyncInvokeSummaries": []})
                return self._failed(request, health) if health else listed
        return self._failed(request, self.faults["wrong_service"])

    def _failed(self, request: web.BaseRequest, fault: Fault) -> web.StreamResponse:
        if not request.path.startswith(S3) or not isinstance(fault.body, dict):
            return super()._failed(request, fault)
        headers = dict(fault.headers)
        code = headers.pop(_TYPE, "").partition(":")[0]
        message = fault.body.get("message") or str(fault.body)
        return storage_error(fault.status, code, message, headers)

    def _answered_later(
        self, request: web.BaseRequest, model: str, asked: Asked, fault: str
    ) -> Worked:
        return self.worked(self._prompt(model, asked.body), request, fault)

    def _prompt(self, model: str, body: dict[str, Any]) -> Prompt:
        turns = (part for message in body["messages"] for part in message["content"])
        texts = [part["text"] for part in (*body.get("system", ()), *turns)]
        form = body.get("outputConfig", {}).get("textFormat")
        schema = orjson.loads(form["structure"]["jsonSchema"]["schema"]) if form else None
        limit = body.get("inferenceConfig", {}).get("maxTokens", 4096)
        read = sum(map(self.tokens, texts))
        return Prompt(model, texts, None, limit, schema, read, body)

    def refused(self, prompt: Prompt, request: web.BaseRequest) -> Fault | None:
        knobs, body = self.knobs, prompt.body
        if knobs.models and prompt.model not in knobs.models:
            return self.faults["unknown_model"]
        if knobs.context and prompt.input_tokens > knobs.context:
            return self.faults["too_long"]
        if prompt.model in knobs.no_schema_models and "outputConfig" in body:
            return _returned("output_config.format: Extra inputs are not permitted")
        if prompt.model in knobs.no_temperature_models and "temperature" in body["inferenceConfig"]:
            return _returned("`temperature` is deprecated for this model.")
        if prompt.model in knobs.no_system_models and "system" in body:
            return _invalid(
                "This model doesn't support system messages. Try again without a system message "
                "or use a model that supports system messages."
            )
        return None

    def reply(self, prompt: Prompt, text: str, tokens: int, cut: bool) -> dict[str, Any]:
        body: dict[str, Any] = {
            "output": {"message": {"role": "assistant", "content": [{"text": text}]}},
            "stopReason": "max_tokens" if cut else "end_turn",
            "metrics": {"latencyMs": 500},
        }
        if self.knobs.usage:
            read = prompt.input_tokens
            counts = {"inputTokens": read, "outputTokens": tokens, "totalTokens": read + tokens}
            body["usage"] = counts
        return body


if __name__ == "__main__":
    main(BedrockStub())
