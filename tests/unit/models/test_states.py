"""The changes of state that statements make, read from their SQL."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from models.states import (
    ACTIVE_JOBS,
    JOB_CHANGES,
    OPEN_JOBS,
    WRITTEN_DOCUMENTS,
    WRITTEN_JOBS,
    DocumentState,
    JobState,
)

ROOT = Path(__file__).parents[3]
STATEMENTS = {
    str(path.relative_to(ROOT)): re.sub(r"--.*", "", path.read_text("utf-8"))
    for folder in ("worker/sql", "producer/sql", "migrations/sql")
    for path in sorted((ROOT / folder).rglob("*.sql"))
}
GIVEN = {
    "worker/sql/run/finish.sql": {JobState.READY, JobState.DONE, JobState.FAILED},
    "worker/sql/classify/finish.sql": {JobState.READY, JobState.FAILED},
}
"""States that come in with the rows; which ones, their own tests say."""


@dataclass(frozen=True)
class Update:
    """An UPDATE of jobs or documents: what it sets, and under which conditions."""

    file: str
    table: str
    setting: str
    where: str

    @property
    def targets(self) -> set[str]:
        """The states that it sets; none where it leaves the state alone."""
        chosen = SETS.search(self.setting)
        if chosen is None:
            return set()
        if chosen[1] == "g.state":
            return {str(state) for state in GIVEN.get(self.file, ())}
        return set(re.findall(r"(?:THEN|ELSE|^)\s*'(\w+)'", chosen[1]))

    @property
    def sources(self) -> set[str]:
        """The states that it names of the rows that it changes."""
        named = [*NAMES.findall(self.where), *KEEPS_OTHERS.findall(self.setting)]
        return {word for found in named for one in found for word in re.findall(r"\w+", one)}


SETS = re.compile(r"(?<![\w.])state = (CASE.*?\bEND|'\w+'|g\.state)", re.DOTALL)
NAMES = re.compile(r"(?<![fb]\.)\bstate\s*(?:=\s*'(\w+)'|IN\s*\(([^)]*)\))")
KEEPS_OTHERS = re.compile(r"(\b)WHEN d\.state NOT IN \(([^)]*)\) THEN d\.state")
UPDATE = re.compile(
    r"\bUPDATE (?P<table>jobs|documents)\b(?P<body>.*?)(?=\bRETURNING\b|\n\)(?=,|\n)|;|\Z)",
    re.DOTALL,
)


def updates() -> list[Update]:
    found = []
    for file, sql in STATEMENTS.items():
        for match in UPDATE.finditer(sql):
            setting, _, where = match["body"].partition("WHERE")
            # a CASE may hold no WHERE of its own; a subquery in SET would
            found.append(Update(file, match["table"], setting.partition("SET")[2], where))
    return found


UPDATES = updates()
CHANGING = [one for one in UPDATES if re.search(r"(?<![\w.])state =", one.setting)]
JOBS = [pytest.param(one, id=one.file) for one in CHANGING if one.table == "jobs"]
DOCUMENTS = [pytest.param(one, id=one.file) for one in CHANGING if one.table == "documents"]


@pytest.mark.parametrize("state", JobState)
def test_every_state_that_is_written_has_its_changes_and_no_other_has(state):
    assert (state in JOB_CHANGES) is (state in WRITTEN_JOBS)
    assert state not in JOB_CHANGES.get(state, ())
    assert JOB_CHANGES.get(state, frozenset()) <= WRITTEN_JOBS


def test_an_open_job_can_end_and_one_that_is_done_stays_so():
    assert OPEN_JOBS <= ACTIVE_JOBS & WRITTEN_JOBS
    for state in OPEN_JOBS:
        assert JOB_CHANGES[state]
    for state in (JobState.DONE, JobState.SKIPPED):
        assert not JOB_CHANGES[state]


def test_from_every_state_that_is_not_over_a_job_can_be_done():
    can = {JobState.DONE}
    while more := {s for s, following in JOB_CHANGES.items() if following & can} - can:
        can |= more
    assert can == WRITTEN_JOBS - {JobState.SKIPPED}


def test_running_submitted_held_and_cancelled_are_nowhere_written_on_a_row():
    for sql in STATEMENTS.values():
        assert not re.search(
            r"UPDATE (jobs|documents)\b[^;]*?SET[^;]*?\bstate = "
            r"'(running|submitted|held|cancelled)'",
            sql.partition("UPDATE batches")[0],
        )
    shown = {JobState.RUNNING, JobState.SUBMITTED, JobState.HELD, JobState.CANCELLED}
    assert set(JobState) - shown == WRITTEN_JOBS


def test_there_are_statements_to_check():
    assert len(JOBS) >= 5
    assert len(DOCUMENTS) >= 4
    assert set(GIVEN) <= {one.file for one in CHANGING}


@pytest.mark.parametrize("update", [*JOBS, *DOCUMENTS])
def test_every_statement_that_changes_a_state_names_the_state_that_it_leaves(update):
    assert update.sources, update


@pytest.mark.parametrize("update", JOBS)
def test_no_statement_makes_a_change_of_a_job_that_is_not_legal(update):
    for new in update.targets:
        for old in update.sources:
            legal = JOB_CHANGES[JobState(old)] | {JobState(old)}
            assert JobState(new) in legal, f"{update.file}: {old} -> {new}"


@pytest.mark.parametrize("update", DOCUMENTS)
def test_a_document_gets_no_state_that_is_not_written(update):
    for state in update.targets | update.sources:
        assert DocumentState(state) in WRITTEN_DOCUMENTS, f"{update.file}: {state}"


def test_only_a_retry_brings_back_what_has_failed():
    for table in ("jobs", "documents"):
        leaving = {one.file for one in CHANGING if one.table == table and "failed" in one.sources}
        assert {file.rpartition("/")[2].partition(".")[0] for file in leaving} == {
            "retry" if table == "jobs" else "retry_documents"
        }


def test_what_a_worker_ends_must_be_leased_to_it():
    ending = [one for one in CHANGING if one.file.startswith("worker/") and "reap" not in one.file]
    for update in ending:
        sql = STATEMENTS[update.file]
        assert re.search(r"DELETE FROM leases WHERE stage = '\w+' AND owner = %\(owner\)s", sql), (
            f"{update.file} frees no lease"
        )
        assert "JOIN freed f ON f.item_id" in sql, f"{update.file} changes what it did not hold"


def test_leases_that_ran_out_are_all_that_somebody_elses_jobs_are_taken_for():
    sql = STATEMENTS["worker/sql/flow/reap.sql"]
    assert "DELETE FROM leases" in sql
    assert "until < now()" in sql
