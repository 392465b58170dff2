"""Why a run of a store is not gone on with, or not begun."""

from __future__ import annotations

from flowcage.host.outcome.errors import FlowcageError


class NotResumable(FlowcageError):
    """A run that cannot be gone on with: it goes on, has ended by itself, or has diverged."""


class GoesOn(NotResumable):
    """A run that another host has."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"run {run_id} goes on already, in another process")


class StartedBefore(Exception):
    """A start with this key has led to a run before.

    Attributes:
        run_id: of that run.
    """

    def __init__(self, run_id: str) -> None:
        super().__init__(f"the start has led to run {run_id} before")
        self.run_id = run_id
