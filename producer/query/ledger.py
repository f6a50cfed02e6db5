"""The ledger, summed up."""

from typing import Any

from producer.query.rows import Row, every, money, require

COST_KEYS = (
    "key",
    "tier",
    "calls",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "cost_usd",
    "unknown_price_calls",
    "lost_calls",
    "gpu_seconds",
    "would_have_cost_usd",
)
"""What each row of `costs --json` holds, in this order."""


def costs(batch: int | None, by: str) -> list[dict[str, Any]]:
    """The ledger summed up by model, task, batch or day. Raises NotFound."""
    return [cost_row(row) for row in _summed_up(batch, by)]


def _summed_up(batch: int | None, by: str) -> list[Row]:
    if batch is not None:
        require(batch)
    return every("costs", batch=batch, by=by)


def cost_row(row: Row) -> dict[str, Any]:
    """A summed-up row of the ledger as both doors show it."""
    plain = {key: row[key] for key in COST_KEYS}
    for key in ("cost_usd", "would_have_cost_usd"):
        plain[key] = money(row[key])
    plain["gpu_seconds"] = float(row["gpu_seconds"]) if row["gpu_seconds"] is not None else None
    return plain


def costs_explained(batch: int | None, by: str) -> list[dict[str, Any]]:
    """Like `costs`, with what people want explained: why a price is unknown, whether a stand-in
    answered, and how many jobs took an answer that was there. Raises NotFound."""
    return [
        {
            **cost_row(row),
            "reasons": row["reasons"] or [],
            "stand_in": row["stand_in"],
            "reused_answers": row["reused_answers"],
        }
        for row in _summed_up(batch, by)
    ]


def escalations(batch: int | None) -> list[dict[str, Any]]:
    """What second readings brought, batch by batch: `batch`, `jobs` of `of_jobs` with one, `fields`
    in question, `mended`: sure since, `cost_usd` (None: at no known price), `usd_per_mended` (None:
    that is not known, or none is). Raises NotFound."""
    if batch is not None:
        require(batch)
    return [escalation_row(row) for row in every("escalations", batch=batch)]


def escalation_row(row: Row) -> dict[str, Any]:
    """A batch's second readings as both doors show them."""
    known = row["unknown"] == 0
    per_mended = row["usd"] / row["mended"] if known and row["mended"] else None
    return {
        **{key: row[key] for key in ("batch", "jobs", "fields", "mended")},
        "of_jobs": int(row["of_jobs"] or 0),
        "cost_usd": money(row["usd"]) if known else None,
        "usd_per_mended": money(per_mended),
    }
