"""Who saw a batch: every engine, host and model, proved from the ledger."""

from typing import Any

from producer.query import every, moment, status


def receipt(batch: int) -> dict[str, Any]:
    """Which engines, hosts and models saw any text of a batch. Raises NotFound.

    `engines`: one entry per engine with its counts and hashes; `reused`: jobs answered without a
    call, by who had answered before; `pinned`: chunks kept local, per kind of private data.
    """
    policy = status(batch)["policy"]
    seen = [
        {**row, "first_call": moment(row["first_call"]), "last_call": moment(row["last_call"])}
        for row in every("receipt", batch=batch)
    ]
    hosts = sorted({row["host"] for row in seen})
    frontier = [row for row in seen if row["tier"] == "frontier" and not row["stand_in"]]
    return {
        "batch": batch,
        "policy": policy,
        "engines": seen,
        "reused": [dict(row) for row in every("receipt_reused", batch=batch)],
        "pinned": {row["kind"]: row["chunks"] for row in every("receipt_pinned", batch=batch)},
        "hosts": hosts,
        "frontier_calls": sum(row["calls"] for row in frontier),
        "statement": _statement(policy, hosts, bool(frontier)),
    }


def _statement(policy: str, hosts: list[str], frontier: bool) -> str:
    if not hosts:
        return "no call was made for this batch"
    where = ", ".join(hosts)
    if frontier:
        return f"calls went to {where}, the frontier among them (policy {policy})"
    return f"no call left {where}"
