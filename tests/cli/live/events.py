"""Events of a run, for tests of what is shown of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flowcage.host.agents.answer import AgentUsage
from flowcage.host.cli.live.board import Board
from flowcage.host.cli.live.drawing import draw, plain
from flowcage.host.cli.live.rows import rows
from flowcage.host.events import records
from flowcage.host.events.records import Event


def started(at: float = 0.0, name: str = "review.js") -> Event:
    return records.RunStarted("r", at, source_name=name, root_run_id="r")


def phase(at: float, name: str, run: str = "r") -> Event:
    return records.PhaseEntered(run, at, name)


def queued(at: float, call: str, label: str | None = None, phase: str | None = None, run: str = "r") -> Event:
    return records.AgentQueued(run, at, call, label, phase)


def asked(
    at: float, call: str, label: str | None = None, phase: str | None = None, run: str = "r", **more: Any
) -> Event:
    return records.AgentStarted(run, at, call, f"prompt of {call}\nand more", label, phase, **more)


def word(at: float, call: str, text: str | None = None, tokens: int = 0, usd: float | None = None) -> Event:
    usage = AgentUsage(tokens, 0) if tokens else None
    return records.AgentProgressed("r", at, call, text, usage, usd)


def answered(
    at: float, call: str, tokens: int = 0, usd: float | None = 0.0, run: str = "r", **more: Any
) -> Event:
    return records.AgentCompleted(run, at, call, 1.0, tokens, cost_usd=usd, **more)


def failed(at: float, call: str, *, again: bool = False, tokens: int = 0, **more: Any) -> Event:
    return records.AgentFailed("r", at, call, 1.0, "boom", will_retry=again, tokens=tokens, **more)


def refused(at: float, call: str, tokens: int = 0, usd: float | None = 0.0) -> Event:
    return records.AnswerRefused("r", at, call, 1, 1, "no number", "text", tokens, cost_usd=usd)


def cancelled(at: float, call: str) -> Event:
    return records.AgentCancelled("r", at, call, 1)


def child(at: float, run: str, name: str = "kid.js") -> Event:
    return records.ChildStarted("r", at, run, name)


def child_ended(at: float, run: str, verdict: Any = "completed") -> Event:
    return records.ChildEnded("r", at, run, verdict, None)


def ended(at: float, verdict: Any = "completed") -> Event:
    return records.RunEnded("r", at, verdict, None)


def board_of(events: Iterable[Event]) -> Board:
    board = Board()
    for event in events:
        board.take(event)
    return board


def table(events: Iterable[Event], now: float, *, width: int = 80, room: int = 30) -> list[str]:
    """The lines of the table at a time."""
    return [plain(line) for line in draw(rows(board_of(events), now, room), width)]
