"""What a chaos run came to, read from Postgres and from the engines' own counters."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from models.config import MAX_TOKENS
from tests.chaos.scene import Scene
from tests.recount import QUERY
from tests.stubs.process import StubProcess

FIXED_TOKENS = 1_000
"""More than the scene's prompts hold besides the text."""

_LEDGER = """
SELECT coalesce(sum(c.input_tokens) FILTER (WHERE c.state = 'settled'), 0),
       coalesce(sum(c.output_tokens) FILTER (WHERE c.state = 'settled'), 0),
       count(*) FILTER (WHERE c.state = 'lost'),
       count(*) FILTER (WHERE c.state = 'reserved'),
       coalesce(sum(j.tokens + %s) FILTER (WHERE c.state = 'lost'), 0),
       coalesce(sum(coalesce((%s::jsonb->>c.task)::int, 40)) FILTER (WHERE c.state = 'lost'), 0)
FROM calls c JOIN jobs j ON j.id = c.job_id WHERE c.zone = %s
"""


@dataclass(frozen=True, slots=True)
class Ledger:
    """One zone's ledger against its engine's own count, in tokens (input, output)."""

    zone: str
    settled: tuple[int, int]
    billed: tuple[int, int]
    bound_of_lost: tuple[int, int]
    lost: int
    reserved: int

    @property
    def adds_up(self) -> bool:
        """settled <= billed <= settled + what lost calls can have cost at most."""
        triples = zip(self.settled, self.billed, self.bound_of_lost, strict=True)
        return all(known <= billed <= known + bound for known, billed, bound in triples)

    def __str__(self) -> str:
        return (
            f"{self.zone}: billed {self.billed[0]}+{self.billed[1]} tokens, "
            f"ledger {self.settled[0]}+{self.settled[1]} "
            f"and up to {self.bound_of_lost[0]}+{self.bound_of_lost[1]} in {self.lost} lost calls"
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """The table at the end of a run."""

    seed: int
    faults: dict[str, int]
    wanted: int
    jobs: int
    done: int
    parts: int
    parts_done: int
    failed: dict[str, int]
    answers: int
    most_answers_of_a_job: int
    answers_without_call: int
    offences: list[tuple[Any, ...]]
    """Rules of the tables that do not hold (tests/recount.py)."""
    left_over: int
    prompts: int
    distinct: int
    refused_by_fault: int
    repeats: int
    exposed: int
    begun: int
    ledgers: tuple[Ledger, ...]
    seconds: float

    @property
    def lost(self) -> int:
        return self.wanted - self.done

    @property
    def duplicates(self) -> int:
        return self.answers - self.done - self.parts_done + self.jobs - self.wanted

    @property
    def lost_calls(self) -> int:
        """Calls in the ledger whose answer never arrived, as it says."""
        return sum(ledger.lost for ledger in self.ledgers)

    @property
    def phantoms(self) -> int:
        """Lost calls that no fault explains: nobody was in their way, or they were never begun."""
        return max(0, self.lost_calls - self.begun - self.refused_by_fault)

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"seed {self.seed}, {sum(self.faults.values())} faults, {self.seconds:.0f} s"
        yield from (f"  {number:3} x {kind}" for kind, number in sorted(self.faults.items()))
        yield (
            f"jobs {self.wanted}, done {self.done}, failed {self.failed or 0}; of their "
            f"{self.parts} parts {self.parts_done} done"
        )
        yield f"lost {self.lost}, duplicate results {self.duplicates}"
        yield (
            f"prompts {self.prompts}, distinct {self.distinct}, answered by a fault "
            f"{self.refused_by_fault}, repeats {self.repeats}"
        )
        yield (
            f"in flight when workers, leases or engines went {self.exposed}, begun {self.begun}, "
            f"lost calls {self.lost_calls}, phantoms {self.phantoms}"
        )
        yield from map(str, self.ledgers)


def figures(scene: Scene, *, seed: int, wanted: int, seconds: float) -> Figures:
    """Count everything, once nothing moves any more."""
    stubs = [scene.local.stats(), scene.frontier.stats()]
    prompts = sum(stub["requests"] for stub in stubs)
    distinct = stubs[0]["distinct_prompts"] + stubs[1]["distinct_keys"]
    # A request that a fault answered (429, 500) has to be sent again; it does not count as one
    # that was asked twice.
    refused = sum(
        number
        for stub in stubs
        for outcome, number in stub["outcomes"].items()
        if outcome not in ("ok", "cancelled")
    )
    one = scene.number
    return Figures(
        seed=seed,
        faults=dict(scene.struck),
        wanted=wanted,
        jobs=one("SELECT count(*) FROM jobs WHERE parent_id IS NULL"),
        done=one("SELECT count(*) FROM jobs WHERE parent_id IS NULL AND state = 'done'"),
        parts=one("SELECT count(*) FROM jobs WHERE parent_id IS NOT NULL"),
        parts_done=one("SELECT count(*) FROM jobs WHERE parent_id IS NOT NULL AND state = 'done'"),
        failed=dict(
            scene.ask(
                "SELECT coalesce(error->>'category', state), count(*) FROM jobs "
                "WHERE state <> 'done' GROUP BY 1"
            )
        ),
        answers=one("SELECT count(*) FROM answers"),
        most_answers_of_a_job=one(
            "SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM answers GROUP BY job_id) c"
        ),
        answers_without_call=one(
            "SELECT count(*) FROM answers a LEFT JOIN calls c ON c.id = a.call_id "
            "AND c.job_id = a.job_id AND c.state = 'settled' WHERE c.id IS NULL"
        ),
        offences=scene.ask(QUERY),
        left_over=one(
            "SELECT (SELECT count(*) FROM leases) + (SELECT count(*) FROM waiting)"
            " + (SELECT count(*) FROM delayed) + (SELECT count(*) FROM lines)"
            " + (SELECT count(*) FROM calls WHERE state = 'reserved')"
            " + (SELECT count(*) FROM documents WHERE state <> 'done')"
            " + (SELECT count(*) FROM document_contents)"
            " + (SELECT count(*) FROM batches WHERE state <> 'finished')"
        ),
        prompts=prompts,
        distinct=distinct,
        refused_by_fault=refused,
        repeats=max(0, prompts - distinct - refused),
        exposed=scene.exposed,
        begun=scene.begun,
        ledgers=(_ledger(scene, "local", scene.local), _ledger(scene, "frontier", scene.frontier)),
        seconds=seconds,
    )


def _ledger(scene: Scene, zone: str, stub: StubProcess) -> Ledger:
    stats = stub.stats()
    limits = json.dumps({str(task): limit for task, limit in MAX_TOKENS.items()})
    (row,) = scene.ask(_LEDGER, FIXED_TOKENS, limits, zone)
    settled_in, settled_out, lost, reserved, bound_in, bound_out = map(int, row)
    return Ledger(
        zone,
        (settled_in, settled_out),
        (stats["billed_input"], stats["billed_output"]),
        (bound_in, bound_out),
        lost,
        reserved,
    )
