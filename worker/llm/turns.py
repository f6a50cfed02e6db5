"""What is said to a model, in turns. Pure."""

from collections.abc import Iterable
from dataclasses import replace

from worker.llm.engine import Message


def turns(messages: Iterable[Message], *, system: bool = True) -> list[Message]:
    """What is said, in turns: nothing empty (Anthropic refuses that), no role twice in a row (Gemma
    and Mistral do), and without a system message as part of the first user's words."""
    found: list[Message] = []
    for message in messages:
        role = "user" if message.role == "system" and not system else message.role
        if not message.content.strip():
            continue
        if found and found[-1].role == role:
            before, shown = found[-1], found[-1].images + message.images
            content = f"{before.content}\n\n{message.content}"
            found[-1] = replace(before, content=content, images=shown)
        else:
            found.append(Message(role, message.content, message.images))
    return found
