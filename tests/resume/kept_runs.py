"""Runs that were carried out, for tests that look at their history."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import trio

from flowcage.host import AgentAnswer, AgentCall
from flowcage.host.durable.records import RunRecord
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.outcome.errors import RunError

from .lives import SOURCE, Agents, first_life, options


def kept(
    path: Path, source: str = SOURCE, calls: int = 10_000, unanswered: tuple[str, ...] = (), **more: object
) -> RunRecord:
    """A run that was carried out until agents were asked so often.

    Args:
        path: a folder for its store.
        source: of the run.
        calls: of agents, after which it is cancelled.
        unanswered: how prompts begin that no agent answers.
        more: options.
    """
    agents, scope = Agents(), trio.CancelScope()

    def on_call(_call: AgentCall) -> None:
        if sum(agents.asked.values()) >= calls:
            scope.cancel()

    agents.on_call = on_call

    async def agent(call: AgentCall) -> AgentAnswer:
        answer = await agents(call)
        if call.prompt.startswith(unanswered):
            await trio.sleep_forever()
        return answer

    async def main() -> RunRecord:
        with scope, suppress(RunError):
            await first_life(path / "runs.db", options(agent, **more), source)
        return await load(path / "runs.db")

    return trio.run(main)


def record_of(file: Path, run_id: str = "run") -> RunRecord:
    """What a store has of a run."""
    return trio.run(load, file, run_id)


async def load(file: Path, run_id: str = "run") -> RunRecord:
    """The same, inside of trio."""
    store = SqliteStore.open(file, read_only=True)
    try:
        return await store.load(run_id)
    finally:
        await store.aclose()
