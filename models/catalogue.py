"""Hosted models by the names that docmill.toml has for them, in the library of their prices."""

import re
from collections.abc import Iterator

BEDROCK = re.compile(r"(?:arn:aws[\w-]*:bedrock:.*/)?((?:[a-z-]+\.)?[a-z]+\.[a-z][\w.:-]*)")
"""A model or inference profile of AWS Bedrock, or the ARN of one."""


RETIRES = "its provider has announced that it takes it away"


def spellings(model_name: str) -> Iterator[tuple[str, str | None]]:
    """A model as the library may know it, with its provider, the surest first.

    Gateways put the vendor in front: anthropic/claude-sonnet-4-6 is Anthropic's own model.
    Bedrock puts it before a dot, behind where it may run: us.meta.llama3-3-70b-instruct-v1:0.
    """
    if bedrock := BEDROCK.fullmatch(model_name):
        yield bedrock[1], "aws"
        return
    vendor, _, bare = model_name.partition("/")
    if bare:
        yield bare, vendor
    yield model_name, None


def retires(model_name: str) -> bool:
    """Whether the provider of a hosted model has announced that it takes it away."""
    from genai_prices.data_snapshot import get_snapshot

    library = get_snapshot()
    for name, provider in spellings(model_name):
        try:
            return bool(library.find_provider_model(name, None, provider, None)[1].deprecated)
        except LookupError:
            continue
    return False
