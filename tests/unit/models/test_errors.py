import importlib
import inspect
import pkgutil
import re

import pytest

import models
import producer
import worker
from models import errors
from models.archives import TooMuch
from models.errors import DocmillError, ReadError
from producer.places import NotFetched
from producer.remote.web import Answered
from worker.calls.reservations import NotReserved
from worker.flow.loops import LoopEnded
from worker.read.kinds import NeedsOcr, NotNow
from worker.read.reading import Damaged, Locked, StrangeLock

NOT_TOLD = {
    Answered,
    NotFetched,
    TooMuch,
    LoopEnded,
    NotReserved,
    Damaged,
    Locked,
    NeedsOcr,
    NotNow,
    StrangeLock,
}
"""Never reach a user: caught where an address is fetched, where an archive is opened, where the job
is run, where the loops are, where a file is read."""

ELSEWHERE = {"EngineError": "worker.llm.engine"}
STARTS_A_PROGRAM = {"__main__", "guard", "child", "env"}
NEEDS_AN_EXTRA = "worker.tune.learn"
"""Torch, which tests go without."""


def modules():
    for package in (models, producer, worker):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name.rpartition(".")[2] not in STARTS_A_PROGRAM and not found.name.startswith(
                NEEDS_AN_EXTRA
            ):
                yield importlib.import_module(found.name)


def own_exceptions() -> set[type[Exception]]:
    found = set()
    for module in modules():
        for _, kind in inspect.getmembers(module, inspect.isclass):
            ours = issubclass(kind, Exception) and kind.__module__ == module.__name__
            if ours and not kind.__name__.startswith("_"):  # else it never leaves its module
                found.add(kind)
    return found


def drawn() -> list[tuple[int, str]]:
    """The tree of the docstring as (depth, name)."""
    lines = (errors.__doc__ or "").splitlines()
    names = (re.match(r"((?:[│├└]\s?|── |─|\s)*)([A-Z]\w+)  ", f"{line}  ") for line in lines)
    return [(len(name[1]) // 4, name[2]) for name in names if name and name[2].endswith(KINDS)]


KINDS = ("Error", "Away", "NotFound", "NoKey", "Changed")


def named(name: str) -> type[Exception]:
    module = importlib.import_module(ELSEWHERE.get(name, "models.errors"))
    return getattr(module, name)


def test_the_tree_that_is_drawn_is_the_tree_that_is():
    parents: dict[int, type[Exception]] = {}
    tree = drawn()
    assert len(tree) >= 7
    for depth, name in tree:
        kind = named(name)
        if depth:
            assert kind.__bases__ == (parents[depth - 1],), name
        parents[depth] = kind


def test_every_exception_of_ours_is_drawn():
    assert {kind.__name__ for kind in own_exceptions() - NOT_TOLD} == {name for _, name in drawn()}


@pytest.mark.parametrize("kind", sorted(own_exceptions() - NOT_TOLD, key=lambda k: k.__name__))
def test_every_exception_of_ours_is_one_that_commands_print(kind):
    assert issubclass(kind, DocmillError)


def test_a_read_error_carries_its_category_and_its_message():
    error = ReadError("needs_password", "a.pdf: needs a password")
    assert (error.category, str(error)) == ("needs_password", "a.pdf: needs a password")
