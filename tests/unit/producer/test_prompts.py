"""The version of a prompt in docmill.toml: what is changed of the file, and what is left alone."""

import tomllib

import pytest

from models.words import TaskType
from producer.prompts import promoted

EXTRACTION = TaskType.EXTRACTION


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "[prompts]\nextraction = 2\n"),
        (
            "# mine\n[limits]\npages = 9",
            "# mine\n[limits]\npages = 9\n\n[prompts]\nextraction = 2\n",
        ),
        ("[prompts]\nextraction = 1 # old\n", "[prompts]\nextraction = 2\n"),
        (
            "[prompts] # which\nsummary = 1\n\n[limits]\npages = 9\n",
            "[prompts] # which\nextraction = 2\nsummary = 1\n\n[limits]\npages = 9\n",
        ),
        (
            "[prompts]\nsummary = 1\nextraction=1\n[tasks.extraction]\nmodel = 'x'\n",
            "[prompts]\nsummary = 1\nextraction = 2\n[tasks.extraction]\nmodel = 'x'\n",
        ),
        ("[prompts]\nextraction = 1", "[prompts]\nextraction = 2\n"),
    ],
)
def test_the_version_stands_in_the_file_and_all_else_stays(before, after):
    assert promoted(before, EXTRACTION, 2) == after
    said = tomllib.loads(before)
    prompts = said.get("prompts", {}) | {"extraction": 2}
    assert tomllib.loads(after) == said | {"prompts": prompts}


@pytest.mark.parametrize(
    "before",
    [
        "prompts.extraction = 1\n",
        "prompts = {extraction = 1}\n",
        'text = """\n[prompts]\n"""\n',
        "[prompts\n",
        '[prompts]\n"extraction" = 1\n',
    ],
)
def test_a_file_that_says_it_in_another_way_is_left_alone(before):
    assert promoted(before, EXTRACTION, 2) is None
