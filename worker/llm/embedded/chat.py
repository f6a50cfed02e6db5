"""What puts messages together for the embedded model, which has no chat template of its own."""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from jinja2 import Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

CHAT = Path(__file__).with_name("chat.jinja").read_text("utf-8").rstrip("\n")
"""As its server is given it."""


def rendered(messages: Iterable[Mapping[str, object]], template: str = CHAT) -> str:
    """The prompt that a server makes of messages, each with its `role` and `content`."""
    return _made(template).render(messages=list(messages))


@cache
def _made(template: str) -> Template:
    return ImmutableSandboxedEnvironment(autoescape=False).from_string(template)
