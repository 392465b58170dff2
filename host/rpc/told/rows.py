"""Runs as a list shows them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from flowcage.host.durable.records import Place, Summary
from flowcage.host.rpc.problems import invalid
from flowcage.host.rpc.run import RpcRun

MOST = 500
_CURSOR = re.compile(r"(-?[0-9]{1,18})\.([A-Za-z0-9._-]{1,100})")


def row_of(run: RpcRun) -> dict[str, Any]:
    """A run that no store keeps."""
    is_over = run.over.is_set()
    state = "ended" if is_over else "running" if run.begun.is_set() else "queued"
    return {
        "runId": run.run_id,
        "state": state,
        "verdict": run.outcome["verdict"] if is_over else None,
        "sourceName": run.source_name,
        "createdAt": run.began_at,
        "updatedAt": run.began_at,
        "hasClient": run.client is not None and not is_over,
    }


def kept_row_of(summary: Summary, run: RpcRun | None) -> dict[str, Any]:
    """A run of a store, which may be one of this process, too."""
    return {
        "runId": summary.run_id,
        "state": "abandoned" if summary.is_abandoned else summary.state,
        "verdict": summary.verdict,
        "sourceName": summary.source_name,
        "createdAt": summary.created_at,
        "updatedAt": summary.updated_at,
        "wakeAt": summary.wake_at,
        "forkedFrom": summary.forked_from,
        "cancelReason": None if summary.cancel is None else summary.cancel.reason,
        "pool": summary.pool,
        "held": (summary.held or None) if summary.state == "queued" else None,
        "hasClient": run is not None and run.client is not None,
    }


def part_of(rows: Sequence[dict[str, Any]], params: dict[str, Any]) -> dict[str, Any]:
    """Some of these rows, the newest first."""
    place, most = place_of(params), limit_of(params)
    state = params.get("state")
    found = [row for row in rows if state is None or row["state"] == state]
    if place is not None:
        found = [row for row in found if (row["createdAt"], row["runId"]) < (place.created_at, place.run_id)]
    return {"runs": found[:most], "next": cursor_of(found[most - 1]) if len(found) > most else None}


def limit_of(params: dict[str, Any]) -> int:
    """How many rows are wanted. Raises `Refusal`."""
    limit: int = params.get("limit", 100)
    if limit > MOST:
        raise invalid("run.list", "/limit", f"must be at most {MOST}")
    return limit


def place_of(params: dict[str, Any]) -> Place | None:
    """Where a list goes on. Raises `Refusal`."""
    cursor = params.get("before")
    if cursor is None:
        return None
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise invalid("run.list", "/before", "must be what next was of the list before")
    return Place(int(found[1]), found[2])


def cursor_of(row: dict[str, Any]) -> str:
    """The place behind a row."""
    return f"{row['createdAt']}.{row['runId']}"
