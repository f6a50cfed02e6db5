"""One example: what is asked of a text, and the right answer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.words import TaskType
from worker.prompts import task_messages


@dataclass(frozen=True, slots=True)
class Task:
    """An ask, a text and its answer."""

    task: TaskType
    ask: str
    schema: Mapping[str, Any]
    text: str
    answer: Mapping[str, Any]

    def pair(self) -> dict[str, Any]:
        """As a line of a file of pairs: the messages that a worker sends, without its examples."""
        rules, *_, asked = task_messages(self.task, self.ask, self.text, self.schema)
        return {
            "prompt": [{"role": one.role, "content": one.content} for one in (rules, asked)],
            "completion": json.dumps(self.answer, ensure_ascii=False),
        }
