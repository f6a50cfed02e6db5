import re
from pathlib import Path

import pytest

from models.states import ACTIVE_JOBS, JOB_CHANGES, JobState

ROOT = Path(__file__).parents[3]
STATEMENTS = {
    f"{path.parent.parent.name}/{path.name}": re.sub(r"--.*", "", path.read_text("utf-8"))
    for package in ("worker", "producer")
    for path in sorted((ROOT / package / "sql").glob("*.sql"))
}
UPDATE = re.compile(r"\bUPDATE jobs\b(?P<body>.*?)(?=\bRETURNING\b|\n\)(?=,|\n)|\Z)", re.DOTALL)
GUARD = re.compile(r"\bstate\s*(?:=\s*'(\w+)'|IN\s*\(([^)]*)\))")
UPDATES = [
    pytest.param(name, found["body"], id=f"{name}:{number}")
    for name, sql in STATEMENTS.items()
    for number, found in enumerate(UPDATE.finditer(sql))
]
GIVEN = {
    "worker/finish_jobs.sql": JOB_CHANGES[JobState.RUNNING] - {JobState.CANCELLED},
    "worker/fail_pending.sql": {JobState.FAILED, JobState.HELD},
}
"""States that come in with the rows; which ones, their own tests say."""


def states(pattern: re.Pattern[str], sql: str) -> set[JobState]:
    return {
        JobState(word)
        for one, several in pattern.findall(sql)
        for word in ([one] if one else re.findall(r"\w+", several))
    }


def guard(name: str, body: str) -> set[JobState]:
    """The states that an UPDATE's WHERE names, or that the rows were locked in that it joins."""
    _, found, where = body.rpartition("WHERE")
    assert found, f"{name} changes every job"
    named = states(GUARD, where)
    if named:
        return named
    locked = re.search(r"\bFROM (\w+)", body)
    assert locked, f"{name} names no state"
    source = re.search(rf"\b{locked[1]} AS \((.*?)\n\)", STATEMENTS[name], re.DOTALL)
    assert source, f"{name} names no state"
    assert re.search(r"FROM jobs.*FOR UPDATE", source[1], re.DOTALL), f"{name}: rows not locked"
    return states(GUARD, re.sub(r"\bb\.state = '\w+'", "", source[1]))


def target(name: str, body: str) -> set[JobState]:
    """The states that an UPDATE sets; none where it leaves the state alone."""
    setting = re.search(r"\bSET\b(.*?)(?=\bFROM\b|\bWHERE\b)", body, re.DOTALL)[1]
    chosen = re.search(r"\bstate = ('\w+'|CASE.*?END|g\.state)", setting, re.DOTALL)
    if chosen is None:
        return set()
    if chosen[1] == "g.state":
        return set(GIVEN[name])
    return {JobState(word) for word in re.findall(r"(?:THEN|ELSE|^) ?'(\w+)'", chosen[1])}


@pytest.mark.parametrize("state", JobState)
def test_every_state_has_its_changes(state):
    assert state in JOB_CHANGES
    assert state not in JOB_CHANGES[state]


def test_a_job_in_an_active_state_can_end_and_one_that_is_over_stays_so():
    for state in ACTIVE_JOBS:
        assert JOB_CHANGES[state]
    for state in (JobState.DONE, JobState.CANCELLED, JobState.SKIPPED):
        assert not JOB_CHANGES[state]


def test_every_state_but_the_first_ones_can_be_reached():
    reached = set().union(*JOB_CHANGES.values())
    assert reached == set(JobState)


def test_from_every_state_that_is_not_over_a_job_can_be_done():
    can = {JobState.DONE}
    while more := {s for s, following in JOB_CHANGES.items() if following & can} - can:
        can |= more
    assert can == set(JobState) - {JobState.CANCELLED, JobState.SKIPPED}


def test_there_are_statements_to_check():
    assert len(UPDATES) >= 12


@pytest.mark.parametrize(("name", "body"), UPDATES)
def test_every_statement_that_changes_jobs_names_the_state_that_it_leaves(name, body):
    assert guard(name, body)


@pytest.mark.parametrize(("name", "body"), UPDATES)
def test_no_statement_makes_a_change_that_is_not_legal(name, body):
    for new in target(name, body):
        for old in guard(name, body):
            assert new is old or new in JOB_CHANGES[old], f"{name}: {old} -> {new}"


@pytest.mark.parametrize(("name", "body"), UPDATES)
def test_every_statement_is_one_of_three_kinds(name, body):
    """It changes the state, renews a lease, or makes a job wait."""
    assert target(name, body) or "lease_until" in body or "SET not_before" in body


def test_only_a_retry_brings_a_failed_job_back_and_only_resume_a_held_one():
    leaving = {name: guard(name, body) for name, body in (param.values for param in UPDATES)}
    assert [name for name in leaving if JobState.FAILED in leaving[name]] == ["producer/retry.sql"]
    held = [name for name in leaving if JobState.HELD in leaving[name]]
    assert sorted(held) == [
        "producer/cancel.sql",
        "producer/resume.sql",
        "worker/close_batches.sql",
        "worker/resume_due.sql",
    ]


def test_what_a_worker_ends_must_be_its_own():
    for name, body in (param.values for param in UPDATES):
        if name.startswith("worker/") and guard(name, body) == {JobState.RUNNING}:
            assert "owner = %(owner)s" in body or "lease_until < now()" in STATEMENTS[name]
