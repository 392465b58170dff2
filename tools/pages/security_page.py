"""Generates the sections of docs/security.md that have tables of the code."""

from __future__ import annotations

from collections.abc import Iterator

from flowcage.host.outcome.verdict import Verdict
from tools.pages import attacks_page, page
from tools.tables import table


def verdicts() -> Iterator[str]:
    """A table of all verdicts: what decides each, and the exit status of ``flowcage run``."""
    yield from table(("verdict", "decided by", "exit status"), map(_row, Verdict))


def _row(verdict: Verdict) -> tuple[str, ...]:
    statuses = [] if verdict.exit_status is None else [str(verdict.exit_status)]
    statuses += [verdict.otherwise] if verdict.otherwise else []
    return f"`{verdict}`", verdict.decided_by, "; ".join(statuses)


def embed(text: str) -> str:
    """The page with its sections generated.

    Raises:
        ValueError: a section has no markers.
    """
    return page.embed(text, {"verdicts": verdicts, "attacks": attacks_page.table})
