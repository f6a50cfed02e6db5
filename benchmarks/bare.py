"""The bare loop that Docmill is held against: what one would write by hand with httpx, on the
transport that does not collapse. Nothing is limited, checked or durable.

And the prompts that everything here posts: each job is a document of one line, asked for what it
says."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx  # noqa: TID251  # the loop that Docmill is held against
from httpx_aiohttp import AiohttpTransport

from models.words import TaskType
from worker.llm.engine import Request
from worker.prompts import task_messages
from worker.prompts.files import prompt

MODEL = "phi4-mini"
ASK = "Find the total."

Send = Callable[[Request], Awaitable[object]]


@asynccontextmanager
async def bare_loop(url: str) -> AsyncIterator[Send]:
    """How to ask the Ollama at this address, on one client."""
    async with httpx.AsyncClient(base_url=url, transport=AiohttpTransport()) as client:

        async def send(request: Request) -> None:
            response = await client.post("/api/chat", json=body(request))
            json.loads(response.raise_for_status().json()["message"]["content"])

        yield send


def body(request: Request) -> dict[str, Any]:
    """A request in Ollama's words."""
    return {
        "model": request.model_name,
        "messages": [{"role": one.role, "content": one.content} for one in request.messages],
        "format": request.schema,
        "stream": False,
        "options": {"num_ctx": request.context_tokens, "num_predict": request.max_tokens},
    }


def text(number: int) -> str:
    """The whole of document number so-and-so."""
    return f"Invoice {number} of Vendor {number % 97} Ltd. Total: Rs {number * 13}.50"


def extract_request(number: int) -> Request:
    """What it says."""
    schema = prompt(TaskType.EXTRACTION).schema
    assert schema is not None
    messages = task_messages(TaskType.EXTRACTION, ASK, text(number), schema)
    return Request(MODEL, messages, 512, 8192, schema)
