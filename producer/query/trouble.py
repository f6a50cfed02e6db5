"""What goes wrong, what waits for somebody, and the engines that are asked."""

from typing import Any

from producer.engines import engine_row
from producer.query.rows import Row, every, moment
from producer.sentences import fate, held, hold_category, mend


def failures(batch: int) -> list[Row]:
    """What failed, was not read or is held, grouped by reason, the most frequent first. `mend`
    says what helps, where that is not `retry`."""
    fates = [{**row, "mend": fate(row["state"], batch)} for row in every("fates", batch=batch)]
    failed = [{**row, "mend": None} for row in every("failures", batch=batch)]
    found = [*failed, *fates, *map(_held_as_failure, held_jobs(batch))]
    return sorted(found, key=lambda row: -row["n"])


def _held_as_failure(row: Row) -> Row:
    more = {"kind": "job", "state": "held", "n": row["jobs"], "path": None, "mend": None}
    return {**row, **more}


def held_jobs(batch: int | None = None) -> list[Row]:
    """How many jobs are held for which reason, of one batch or of all."""
    return [
        {
            "batch": row["batch"],
            "jobs": row["jobs"],
            "category": hold_category(row["code"], row["about"]),
            "message": held(row["code"], row["about"], row["batch"]),
        }
        for row in every("held", batch=batch)
    ]


def troubles(batch: int | None = None) -> list[dict[str, Any]]:
    """The engines and models that are not asked at present, host by host: of those that a batch
    has something to do for, or of all.

    `model` None is every model, `until` None is until a look at the engine says so; `workers` are
    the machines from which it is not asked, `mend` says what to do.
    """
    return [
        {
            **row,
            "since": moment(row["since"]),
            "until": moment(row["until"]),
            "mend": mend(row, batch),
        }
        for row in every("troubles", batch=batch)
    ]


def engines() -> list[dict[str, Any]]:
    """Each model of each engine: who serves it, and what its calls came to in the last day.

    Costs are USD per million tokens, prompt and answer together; None is not known.
    """
    return [engine_row(row) for row in every("engines")]


def paces() -> list[Row]:
    """How fast each queue that was measured in the last day goes, and what waits in it."""
    return every("paces")
