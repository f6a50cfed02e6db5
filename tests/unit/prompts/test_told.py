"""What `docmill prompts` says of the versions that there are."""

import json

import pytest

from models.errors import ConfigError
from models.words import TaskType
from worker.prompts.files import check, current, numbers, prompt
from worker.prompts.told import difference, known, listed


def test_the_versions_that_programs_are_told():
    assert json.loads(known()) == {str(task): list(numbers(task)) for task in TaskType}


def test_the_list_marks_the_version_that_counts_and_says_why():
    lines = listed({TaskType.SUMMARY: 1}).splitlines()
    assert len(lines) == sum(len(numbers(name)) for name in current())
    counts = [line for line in lines if "counts" in line]
    assert len(counts) == len(current())
    assert [line for line in counts if "docmill.toml names it" in line] == [
        f"summary/1         {prompt('summary', 1).version}  counts: docmill.toml names it"
    ]


def test_a_version_differs_from_itself_in_nothing():
    assert difference("summary", 1, 1, {}) == "summary/1 and summary/1 say the same\n"


def test_a_version_that_there_is_not_is_an_error_wherever_it_is_named():
    with pytest.raises(ConfigError, match="no version 9 of the prompt summary"):
        difference("summary", None, None, {TaskType.SUMMARY: 9})
    with pytest.raises(ConfigError, match="no version 9 of the prompt summary"):
        check({TaskType.SUMMARY: 9})
    check({TaskType.SUMMARY: 1})
