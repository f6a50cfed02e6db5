"""Lists over many pages, from chunks to the answer, through an engine that reads each piece."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any
from uuid import UUID

import pytest

from models.words import Finder, Scope, TaskType
from tests.bank import ACCOUNT, SCHEMA, Clerk, pages_of, read, rows_of
from tests.factories import a_config, a_deployment, a_job, an_access
from worker.ingest.chunk import chunk
from worker.read.kinds import Text
from worker.route import Facts
from worker.run.ground import Source
from worker.run.job import Found, Job
from worker.run.outcome import Done, Outcome, Split
from worker.run.run import first_request, run

WHOLE = Facts(TaskType.EXTRACTION, Finder.USER, scope=Scope.DOCUMENT)


def pieces_of(pages: Sequence[str], tokens: int) -> tuple[Source, ...]:
    return tuple(
        Source(each.char_start, each.text, each.ordinal, (each.page_from, each.page_to))
        for each in chunk(Text.of(pages), tokens)
    )


async def outcome_of(job: Job, engine: Clerk, window: int) -> Outcome:
    access = an_access(engine, deployment=a_deployment(context_tokens=window))
    return (await run(job, access, nullcontext())).outcome


async def answer_of(
    pieces: Sequence[Source], engine: Clerk, *, window: int = 4_096, schema: Any = SCHEMA
) -> Done:
    """The whole way of a document: split, its parts, and what they come to."""
    engine.models = ("phi4-mini",)
    job: dict[str, Any] = {"facts": WHOLE, "schema": schema, "config": a_config()}
    outcome = await outcome_of(a_job(pieces=tuple(pieces), **job), engine, window)
    if isinstance(outcome, Split):
        found = []
        for part in outcome.parts:
            own = [one for one in pieces if part.first <= one.ordinal <= part.last]
            beside = [one for one in pieces if one.ordinal in (part.first - 1, part.last + 1)]
            a_part = a_job(pieces=tuple(own), beside=tuple(beside), is_part=True, level=1, **job)
            said = await outcome_of(a_part, engine, window)
            assert isinstance(said, Done), said
            found.append(
                Found(part.first, said.value, UUID(int=1), said.fields or {}, said.spans or {})
            )
        whole = a_job(pieces=tuple(pieces), found=tuple(found), level=1, **job)
        outcome = await outcome_of(whole, engine, window)
    assert isinstance(outcome, Done), outcome
    return outcome


def test_the_clerk_reads_a_statement_over_all_its_page_breaks() -> None:
    rows = rows_of(300)
    assert read("\n\n".join(pages_of(rows, 20))) == rows


SHAPES = [(30, 1, 600), (30, 3, 200), (120, 9, 600), (300, 25, 150)]
ENGINES = ["halves", "wholes", "boundless"]


@pytest.mark.parametrize(
    ("engine", "number", "pages", "tokens"),
    [*((engine, *shape) for engine in ENGINES for shape in SHAPES), ("halves", 2_000, 60, 600)],
)
async def test_no_row_is_lost_doubled_or_out_of_order(engine, number, pages, tokens) -> None:
    rows = rows_of(number, seed=number)
    clerk = Clerk(halves=engine != "wholes", heeds=engine != "boundless")
    done = await answer_of(pieces_of(pages_of(rows, pages), tokens), clerk)
    assert done.value == {"account": ACCOUNT, "rows": rows}
    assert "rows" not in (done.fields or {})
    assert done.grounded is True


@pytest.mark.parametrize(("number", "pages", "tokens"), SHAPES[1:4])
async def test_rows_that_an_engine_drops_are_said_in_the_answer(number, pages, tokens) -> None:
    rows = rows_of(number, seed=number)
    clerk = Clerk(drops=lambda row: row["text"] == "Rent")
    done = await answer_of(pieces_of(pages_of(rows, pages), tokens), clerk)
    assert done.value["rows"] == [row for row in rows if row["text"] != "Rent"]
    check = (done.fields or {})["rows"]
    assert (check.outcome, check.code) == ("check", "gaps")
    assert "Rent" in (check.about or "")


async def test_a_list_that_fills_its_answer_is_asked_on_from_where_it_stood() -> None:
    rows = rows_of(60)
    clerk = Clerk(models=("phi4-mini",))
    pieces = pieces_of(pages_of(rows, 1), 10_000)
    job = a_job(pieces=pieces, schema=SCHEMA, facts=Facts(TaskType.EXTRACTION, Finder.USER))
    done = await outcome_of(job, clerk, 8_192)
    assert isinstance(done, Done)
    assert done.value == {"account": ACCOUNT, "rows": rows}
    asked = [sorted((request.schema or {})["properties"]) for request in clerk.requests]
    assert asked[0] == ["account", "rows"]
    assert set(map(tuple, asked[1:])) == {("rows",)}
    most = (clerk.requests[0].schema or {})["properties"]["rows"]["maxItems"]
    assert len(rows) / most <= len(clerk.requests) <= 2 + 2 * len(rows) / most


async def test_a_long_document_in_one_window_is_split_once_its_list_turns_out_to_be_long() -> None:
    rows = rows_of(200)
    clerk = Clerk(models=("phi4-mini",))
    job = a_job(pieces=pieces_of(pages_of(rows, 9), 600), schema=SCHEMA, facts=WHOLE)
    outcome = await outcome_of(job, clerk, 100_000)
    assert isinstance(outcome, Split)
    assert len(outcome.parts) >= 3
    assert len(clerk.requests) == 1


async def test_an_answer_that_is_cut_off_is_asked_for_in_halves() -> None:
    rows = rows_of(60)
    clerk = Clerk(models=("phi4-mini",), heeds=False)
    job = a_job(pieces=pieces_of(pages_of(rows, 1), 10_000), schema=SCHEMA)
    done = await outcome_of(job, clerk, 8_192)
    assert isinstance(done, Done)
    assert done.value == {"account": ACCOUNT, "rows": rows}


async def test_a_model_that_says_one_row_again_and_again_is_not_asked_on() -> None:
    clerk = Clerk(models=("phi4-mini",), rambles=True)
    job = a_job(pieces=pieces_of(pages_of(rows_of(60), 1), 10_000), schema=SCHEMA)
    done = await outcome_of(job, clerk, 8_192)
    assert isinstance(done, Done)
    assert len(clerk.requests) == 1
    assert (done.fields or {})["rows"].code == "cut_off"


async def test_a_wide_schema_or_a_long_document_has_no_one_request_to_be_asked_beforehand() -> None:
    wide = {"type": "object", "properties": {f"f{n}": {"type": "string"} for n in range(90)}}
    access = an_access(Clerk(models=("phi4-mini",)))
    assert await first_request(a_job(schema=SCHEMA), access) is not None
    assert await first_request(a_job(schema=wide), access) is None
