"""Where a job runs: a pure function of task type, policy, language and config."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from models.config import DEFAULT_FRONTIER_MODEL, Config
from models.words import TaskType, Tier

ANY_LANGUAGE = "*"


@dataclass(frozen=True, slots=True)
class Route:
    """The queue, which is also the engine's name in the config, and the model to ask there."""

    tier: Tier
    model_name: str


def route(task: TaskType, *, local_only: bool, language: str | None, config: Config) -> Route:
    """Where a job of this task type runs.

    Under local-only everything runs on the local engine. Language models stand in for the local
    model only: a frontier model reads every language.
    """
    chosen = config.task(task)
    tier = Tier.LOCAL if local_only else chosen.engine
    if tier is Tier.FRONTIER:
        return Route(tier, chosen.model)
    return Route(tier, local_model(task, language, config))


def local_model(task: TaskType, language: str | None, config: Config) -> str:
    """The local model for a task: the language's, else the task's, else the classifier's.

    A task that the config sends to the frontier names no local model; under local-only it runs on
    the one that reasons best among those configured, which is the extraction model.
    """
    if language in config.languages:
        return config.languages[language].model
    chosen = config.task(task)
    if chosen.engine is Tier.LOCAL:
        return chosen.model
    extraction = config.task(TaskType.EXTRACTION)
    return extraction.model if extraction.engine is Tier.LOCAL else config.classifier.model


def escalation(task: TaskType, *, tier: Tier, local_only: bool, config: Config) -> Route | None:
    """Where a job goes whose answer was not good enough; None: nowhere."""
    chosen = config.task(task)
    target = chosen.escalate
    if target is None or target is tier or (local_only and target is Tier.FRONTIER):
        return None
    if target is Tier.LOCAL:
        return Route(target, local_model(task, None, config))
    return Route(target, frontier_model(config))


def frontier_model(config: Config) -> str:
    """The model that stands for the frontier: jobs escalate to it, savings compare to it."""
    for task in (TaskType.REASONING, TaskType.SUMMARY, *TaskType):
        if config.task(task).engine is Tier.FRONTIER:
            return config.task(task).model
    return DEFAULT_FRONTIER_MODEL


def all_routes(tasks: Iterable[TaskType], config: Config) -> list[dict[str, Any]]:
    """The function's whole table for these tasks, as rows for SQL to join with."""
    return [
        {
            "task": task,
            "local_only": local_only,
            "language": language or ANY_LANGUAGE,
            "queue": chosen.tier,
            "model": chosen.model_name,
        }
        for task in tasks
        for local_only in (False, True)
        for language in (None, *config.languages)
        for chosen in [route(task, local_only=local_only, language=language, config=config)]
    ]
