"""What Bedrock says when it refuses, as its users' reports have it."""

import json

import pytest

from worker.llm.bedrock.errors import refusal, said_in
from worker.llm.engine import Concern, Trouble

PLAIN, MAYBE = False, True
KIND = "x-amzn-errortype"


def refused(status, code="", message="", headers=None):
    named = {KIND: code} if code else {}
    fields = {**named, **(headers or {})}
    content = json.dumps({"message": message}).encode() if code else message.encode()
    return refusal(
        status, said_in(fields, content), fields, "Bedrock at https://b", "secret-token-9876"
    )


@pytest.mark.parametrize(
    ("status", "code", "message", "trouble", "billed"),
    [
        (429, "ThrottlingException", "Too many requests, please wait before trying again. You have "
         "sent too many requests.", Trouble.RATE_LIMITED, PLAIN),
        (429, "ThrottlingException", "Too many tokens, please wait before trying again.",
         Trouble.RATE_LIMITED, PLAIN),
        (429, "ThrottlingException", "Too many tokens per day, please wait before trying again.",
         Trouble.QUOTA, PLAIN),
        (400, "ServiceQuotaExceededException", "Your request exceeds the service quota for your "
         "account.", Trouble.QUOTA, PLAIN),
        (403, "AccessDeniedException", "Model access is denied due to INVALID_PAYMENT_INSTRUMENT:A "
         "valid payment instrument must be provided.", Trouble.QUOTA, PLAIN),
        (429, "ModelNotReadyException", "not ready", Trouble.UNAVAILABLE, PLAIN),
        (503, "ServiceUnavailableException", "busy", Trouble.UNAVAILABLE, PLAIN),
        (408, "ModelTimeoutException", "took too long", Trouble.TIMEOUT, MAYBE),
        (500, "InternalServerException", "unexpected", Trouble.SERVER_ERROR, MAYBE),
        (424, "ModelErrorException", "failed", Trouble.SERVER_ERROR, MAYBE),
        (424, "ModelErrorException", "`inputs` tokens + `max_new_tokens` must be <= 4096",
         Trouble.CONTEXT_EXCEEDED, PLAIN),
        (403, "AccessDeniedException", "Bearer token is not valid", Trouble.AUTH, PLAIN),
        (403, "UnrecognizedClientException", "The security token included in the request is "
         "invalid.", Trouble.AUTH, PLAIN),
        (403, "ExpiredTokenException", "The security token included in the request is expired",
         Trouble.AUTH, PLAIN),
        (403, "InvalidSignatureException", "Signature expired: 20261128T0900Z is now earlier than "
         "20261128T0955Z", Trouble.AUTH, PLAIN),
        (400, "ValidationException", "Operation not allowed", Trouble.AUTH, PLAIN),
        (403, "AccessDeniedException", "You don't have access to the model with the specified "
         "model ID.", Trouble.MODEL_NOT_FOUND, PLAIN),
        (403, "AccessDeniedException", "User: arn:aws:iam::1:user/me is not authorized to perform: "
         "bedrock:InvokeModel on resource: arn:aws:bedrock:eu-west-1::foundation-model/x because "
         "no identity-based policy allows it", Trouble.MODEL_NOT_FOUND, PLAIN),
        (403, "AccessDeniedException", "Model access is denied due to IAM user or service role is "
         "not authorized to perform the required AWS Marketplace actions",
         Trouble.MODEL_NOT_FOUND, PLAIN),
        (404, "ResourceNotFoundException", "Access denied. This Model is marked by provider as "
         "Legacy and you have not been actively using the model in the last 30 days.",
         Trouble.MODEL_NOT_FOUND, PLAIN),
        (404, "ResourceNotFoundException", "Model use case details have not been submitted for "
         "this account.", Trouble.MODEL_NOT_FOUND, PLAIN),
        (400, "ValidationException", "The provided model identifier is invalid.",
         Trouble.MODEL_NOT_FOUND, PLAIN),
        (400, "ValidationException", "Invocation of model ID x with on-demand throughput "
         "isn\u2019t supported. Retry your request with the ID or ARN of an inference profile that "
         "contains this model.", Trouble.MODEL_UNFIT, PLAIN),
        (400, "ValidationException", "The maximum tokens you requested exceed the model limit of "
         "4096.", Trouble.MODEL_UNFIT, PLAIN),
        (400, "ValidationException", "Input is too long for requested model.",
         Trouble.CONTEXT_EXCEEDED, PLAIN),
        (400, "ValidationException", "The model returned the following errors: prompt is too long: "
         "227255 tokens > 200000 maximum", Trouble.CONTEXT_EXCEEDED, PLAIN),
        (400, "ValidationException", "The model returned the following errors: Input Tokens "
         "Exceeded: Number of input tokens exceeds maximum length.",
         Trouble.CONTEXT_EXCEEDED, PLAIN),
        (400, "ValidationException", "400 Bad Request: Too many input tokens. Max input tokens: "
         "8192, request input token count: 9000", Trouble.CONTEXT_EXCEEDED, PLAIN),
        (400, "ValidationException", "The model returned the following errors: Output blocked by "
         "content filtering policy", Trouble.CONTENT_FILTER, MAYBE),
        (400, "ValidationException", "A conversation must start with a user message.",
         Trouble.BAD_REQUEST, PLAIN),
        (404, "UnknownOperationException", "", Trouble.MISCONFIGURED, PLAIN),
        (400, "NewException", "odd", Trouble.BAD_REQUEST, PLAIN),
        (500, "NewException", "odd", Trouble.SERVER_ERROR, MAYBE),
        (403, "", '{"message":"Missing Authentication Token"}', Trouble.AUTH, PLAIN),
        (404, "", "", Trouble.MISCONFIGURED, PLAIN),
        (403, "", "<html>Blocked by the proxy</html>", Trouble.MISCONFIGURED, PLAIN),
        (502, "", "<html>Bad gateway</html>", Trouble.SERVER_ERROR, MAYBE),
        (503, "", "<html>busy</html>", Trouble.UNAVAILABLE, PLAIN),
        (301, "", "", Trouble.MISCONFIGURED, PLAIN),
        (409, "ConflictException", "The job name is in use", Trouble.SERVER_ERROR, MAYBE),
    ],
)  # fmt: skip
def test_each_refusal_is_one_trouble(status, code, message, trouble, billed):
    error = refused(status, code, message)
    assert (error.trouble, error.maybe_billed, error.status) == (trouble, billed, status)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({KIND: "ThrottlingException"}, {"message": "x"}),
        ({KIND: "ThrottlingException:http://internal.amazon.com/coral/"}, {"message": "x"}),
        ({}, {"__type": "com.amazon.coral.service#ThrottlingException", "Message": "x"}),
        ({}, {"code": "ThrottlingException", "message": "x"}),
    ],
)
def test_code_and_words_are_found_wherever_they_stand(headers, body):
    said = said_in(headers, json.dumps(body).encode())
    assert (said.code, said.message) == ("ThrottlingException", "x")


def test_a_model_that_wants_a_profile_is_said_to():
    said = "on-demand throughput isn\u2019t supported. Retry with the ARN of an inference profile"
    assert "name an inference profile" in str(refused(400, "ValidationException", said))


def test_a_missing_access_shuts_one_model_and_a_wrong_key_the_engine():
    access = refused(403, "AccessDeniedException", "You don't have access to the model with ...")
    key = refused(403, "UnrecognizedClientException", "invalid")
    assert (access.concern, key.concern) == (Concern.MODEL, Concern.ENGINE)


def test_the_error_says_where_and_never_what_was_signed():
    said = "The Canonical String should have been 'x-amz-security-token:secret-token-9876'"
    error = refused(403, "InvalidSignatureException", said)
    assert "Bedrock at https://b answered 403" in str(error)
    assert "InvalidSignatureException" in str(error)
    assert "secret-token" not in str(error)


def test_a_redirect_says_where_it_leads_and_a_wait_is_heeded():
    led = refused(307, headers={"location": "https://me:word@elsewhere/x"})
    assert "https://elsewhere/x" in str(led)
    assert "word" not in str(led)
    waits = refused(429, "ThrottlingException", "slow", {"retry-after": "7"})
    assert waits.retry_after_s == 7


@pytest.mark.parametrize(
    ("status", "code", "message", "trouble"),
    [
        (403, "AccessDenied", "Access Denied", Trouble.AUTH),
        (403, "InvalidAccessKeyId", "The AWS Access Key Id does not exist", Trouble.AUTH),
        (403, "RequestTimeTooSkewed", "The difference is too large", Trouble.AUTH),
        (400, "ExpiredToken", "The provided token has expired.", Trouble.AUTH),
        (400, "AuthorizationHeaderMalformed", "the region is wrong", Trouble.MISCONFIGURED),
        (404, "NoSuchBucket", "The specified bucket does not exist", Trouble.MISCONFIGURED),
        (301, "PermanentRedirect", "must be addressed using", Trouble.MISCONFIGURED),
        (503, "SlowDown", "Please reduce your request rate.", Trouble.RATE_LIMITED),
        (500, "InternalError", "We encountered an internal error.", Trouble.SERVER_ERROR),
        (400, "RequestTimeout", "Your socket connection was idle.", Trouble.UNAVAILABLE),
        (400, "EntityTooLarge", "exceeds the maximum allowed object size", Trouble.BAD_REQUEST),
    ],
)
def test_what_s3_says_is_read_from_its_xml(status, code, message, trouble):
    xml = f'<?xml version="1.0"?>\n<Error><Code>{code}</Code><Message>{message} &amp; so'
    said = said_in({}, f"{xml}</Message><RequestId>1</RequestId></Error>".encode())
    assert (said.code, said.message) == (code, f"{message} & so")
    error = refusal(status, said, {}, "S3 at https://s3", check="check batch_s3")
    assert error.trouble is trouble
    assert message in str(error)
    hinted = trouble is Trouble.MISCONFIGURED and status != 301
    assert ("check batch_s3" in str(error)) is hinted
