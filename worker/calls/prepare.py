"""A request as its model is to be asked it: what a model does with prompts decides what it is sent.

Pure: a request and the traits of its model in, the request that goes out.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from worker.llm.engine import Message, Request
from worker.llm.probe import Traits
from worker.prompts import in_words, without_system
from worker.prompts.markers import markers_in, plain
from worker.tokens import estimate

THOUGHT_TOKENS = 1_024
"""Room for a thought in front of the answer, of a model that no grammar keeps from it."""

UNSEEN_SHARE = 0.75
"""Of a window of which no tokens are reported so much is used: a prompt that was cut in silence
would not be noticed, and the tokens of a prompt are an estimate."""


def prepared(request: Request, traits: Traits) -> Request:
    """The same request as its model is to be asked it: markers of chat templates taken apart (texts
    and examples are not ours), the schema in words where it is kept to in no other way, thinking
    told as it does no harm, the rules where they are read, and a window no larger than there is."""
    request = _with_schema(request, traits)
    markers = markers_in(traits.template)
    messages = tuple(_plain(one, markers) for one in request.messages)
    window = _window(request.context_tokens, traits)
    text = plain(request.text, markers)
    request = replace(
        request, messages=messages, text=text, think=traits.think, context_tokens=window
    )
    return _with_rules(request, traits)


def _plain(message: Message, markers: frozenset[str]) -> Message:
    """Most hold no marker."""
    content = plain(message.content, markers)
    return message if content == message.content else Message(message.role, content)


def room(context_tokens: int, traits: Traits) -> int:
    """Tokens of a window that prompt and answer may have."""
    window = _window(context_tokens, traits)
    return window if traits.reports_tokens else int(UNSEEN_SHARE * window)


def added(schema: Mapping[str, Any], traits: Traits) -> int:
    """Tokens of prompt and answer that `prepared` adds for a model that holds no schema."""
    return estimate(in_words(schema)) + THOUGHT_TOKENS * traits.thinks_aloud


def _window(context_tokens: int, traits: Traits) -> int:
    return min(context_tokens, traits.context_tokens or context_tokens)


def _with_schema(request: Request, traits: Traits) -> Request:
    if request.schema is None or traits.holds_schema:
        return request
    place = request.fixed + request.chosen
    asked = request.messages[place]
    said = Message(asked.role, f"{asked.content}\n\n{in_words(request.schema)}")
    before, after = request.messages[:place], request.messages[place + 1 :]
    return replace(
        request,
        messages=(*before, said, *after),
        schema=None,
        max_tokens=request.max_tokens + THOUGHT_TOKENS * traits.thinks_aloud,
    )


def _with_rules(request: Request, traits: Traits) -> Request:
    if traits.reads_system or request.messages[0].role != "system":
        return request
    messages, fixed = without_system(request.messages), max(request.fixed - 1, 0)
    return replace(request, messages=messages, fixed=fixed)
