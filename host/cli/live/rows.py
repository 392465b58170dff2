"""What the table shows of a board: rows, as many as there is room for.

The first row is of the run. Those below are of phases, of child workflows, and of what is at work or waited
for in them. Where there is no room for all, what is done gives way to what is going on, and the agents of all
phases give way alike; a row says how many are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from flowcage.host.cli.live.amounts import word_of
from flowcage.host.cli.live.board import Board
from flowcage.host.cli.live.choice import Item, Kind, Row, chosen, more
from flowcage.host.cli.live.workflow import Agent, Phase, Workflow
from flowcage.host.outcome.verdict import Verdict

# What gives way first has the highest number.
_WAIT, _ACTIVE, _AGENT, _DONE, _FURTHER_AGENT = range(5)
_FIRST_QUESTIONS = 3
_MOST_AGENTS = 50  # of a phase that are candidates


class Sum(NamedTuple):
    """Counts of phases together."""

    total: int = 0
    answered: int = 0
    failed: int = 0
    cancelled: int = 0
    reused: int = 0
    working: int = 0
    queued: int = 0
    tokens: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0

    @property
    def ended(self) -> int:
        """Calls that came to an end of their own."""
        return self.answered + self.failed


def rows(board: Board, now: float, room: int) -> tuple[Row, ...]:
    """The rows of a board at a time, of the clock that the events have.

    Args:
        board: of a run; nothing is shown before its first event.
        now: the time.
        room: the most rows, 2 at least.
    """
    if board.root is None:
        return ()
    now = now if board.left is None else board.left
    head = _head(board, board.root, now)
    items = list(_items(board.root, now, 1))
    return (head, *chosen(items, max(1, room - 1)))


def sum_of(workflow: Workflow) -> Sum:
    """The counts of a workflow and all below it."""
    return _added([phase for each in workflow.tree() for phase in each.phases.values()])


def _added(phases: list[Phase]) -> Sum:
    agents = [agent for phase in phases for agent in phase.working.values()]
    return Sum(
        total=sum(phase.total for phase in phases),
        answered=sum(phase.answered for phase in phases),
        failed=sum(phase.failed for phase in phases),
        cancelled=sum(phase.cancelled for phase in phases),
        reused=sum(phase.reused for phase in phases),
        working=len(agents),
        queued=sum(len(phase.queued) for phase in phases),
        tokens=sum(phase.tokens for phase in phases) + sum(agent.tokens for agent in agents),
        cost_usd=sum(phase.cost_usd for phase in phases) + sum(agent.cost for agent in agents),
        unpriced=sum(phase.unpriced for phase in phases),
    )


def _head(board: Board, root: Workflow, now: float) -> Row:
    counted = sum_of(root)
    until = now if root.ended is None else root.ended
    state = [_state(board, root)]
    if board.lives > 1:
        state.append(("dim", f"life {board.lives}"))
    row = _row("run", 0, root.name or "run", counted, until)
    return row._replace(notes=(*state, *row.notes))


def _state(board: Board, root: Workflow) -> tuple[str, str]:
    if root.verdict is not None:
        return "green" if root.verdict == Verdict.COMPLETED else "red", word_of(root.verdict)
    if board.left is not None:
        return "red", "interrupted"
    if board.asleep is not None:
        return "yellow", f"asleep until {board.asleep}" if board.asleep else "asleep until it is answered"
    return "cyan", "running"


def _items(workflow: Workflow, now: float, depth: int) -> Iterator[Item]:
    """The rows below that of a workflow: waits, then each phase with the children that were started in it."""
    yield from _wait_items(workflow, depth, now)
    started: dict[str, list[Workflow]] = {title: [] for title in workflow.phases}
    for child in workflow.children:
        started.setdefault(child.after, []).append(child)
    for title, children in started.items():
        phase = workflow.phases.get(title)
        if phase is not None and (title or phase.total):
            yield from _phase_items(phase, title == workflow.phase, workflow, depth, now)
        for child in children:
            yield from _child_items(child, workflow, depth + (phase is not None and title != ""), now)


def _phase_items(
    phase: Phase, is_current: bool, workflow: Workflow, depth: int, now: float
) -> Iterator[Item]:
    is_active = phase.is_active or (is_current and workflow.verdict is None and not phase.total)
    counted = _added([phase])
    until = now if is_active else phase.ended
    row = _row(
        "active" if is_active else "done", depth, phase.title or "(no phase)", counted, until - phase.began
    )
    rank = (_ACTIVE, 0) if is_active else (_DONE, -int(phase.ended * 1000))
    yield Item(row, rank, id(workflow))
    for number, agent in enumerate(islice(phase.working.values(), _MOST_AGENTS)):
        rank = (_FURTHER_AGENT, number) if number else (_AGENT, 0)
        yield Item(_agent_row(agent, depth + 1, now), rank, id(phase))
    hidden = len(phase.working) - _MOST_AGENTS
    if hidden > 0:
        row = Row("more", depth + 1, more(hidden))
        yield Item(row, (_FURTHER_AGENT, _MOST_AGENTS), id(phase), hidden)


def _child_items(child: Workflow, parent: Workflow, depth: int, now: float) -> Iterator[Item]:
    is_over = child.verdict is not None
    until = now if child.ended is None else child.ended
    row = _row("done" if is_over else "active", depth, child.name, sum_of(child), until - child.began)
    if child.verdict not in (None, Verdict.COMPLETED):
        row = row._replace(notes=(("red", str(child.verdict)), *row.notes))
    rank = (_DONE, -int(until * 1000)) if is_over else (_ACTIVE, 0)
    yield Item(row, rank, id(parent))
    if not is_over:
        yield from _items(child, now, depth + 1)


def _row(kind: Kind, depth: int, name: str, counted: Sum, seconds: float) -> Row:
    notes = []
    if counted.working:
        notes.append(("cyan", f"{counted.working} at work"))
    if counted.failed:
        notes.append(("red", f"{counted.failed} failed"))
    if counted.queued:
        notes.append(("", f"{counted.queued} queued"))
    if counted.cancelled:
        notes.append(("yellow", f"{counted.cancelled} cancelled"))
    if counted.reused:
        notes.append(("dim", f"{counted.reused} reused"))
    return Row(
        kind,
        depth,
        name,
        done=counted.ended if counted.total else None,
        total=counted.total or None,
        failed=counted.failed,
        tokens=counted.tokens,
        cost_usd=counted.cost_usd,
        is_partly_priced=counted.unpriced > 0,
        seconds=max(0.0, seconds),
        notes=tuple(notes),
    )


def _agent_row(agent: Agent, depth: int, now: float) -> Row:
    notes = []
    if agent.model:
        notes.append(("dim", agent.model))
    if agent.attempt > 1:
        notes.append(("yellow", f"attempt {agent.attempt}"))
    if agent.word:
        notes.append(("dim", agent.word))
    seconds = max(0.0, now - agent.began)
    row = Row("agent", depth, agent.name, seconds=seconds, notes=tuple(notes))
    return row._replace(tokens=agent.spent, cost_usd=agent.cost_usd)


def _wait_items(workflow: Workflow, depth: int, now: float) -> Iterator[Item]:
    """A row for all sleeps, and one for each question."""
    sleeps = [wait.until for wait in workflow.waits.values() if wait.until is not None and wait.until > now]
    if sleeps:
        name = "sleep" if len(sleeps) == 1 else f"{len(sleeps)} sleeps"
        row = Row("wait", depth, name, seconds=min(sleeps) - now, notes=(("dim", "to go"),))
        yield Item(row, (_WAIT, 0), id(workflow.waits))
    questions = [wait for wait in workflow.waits.values() if wait.question is not None]
    for number, wait in enumerate(questions):
        row = Row("wait", depth, f"question {wait.question}", notes=(("yellow", wait.text),))
        rank = (_WAIT, 0) if number < _FIRST_QUESTIONS else (_FURTHER_AGENT, number)
        yield Item(row, rank, id(workflow.waits))
