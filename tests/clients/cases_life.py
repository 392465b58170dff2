"""The run of one case, in a host of this process."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import trio

from flowcage.host import FlowcageError, Handlers, Host, Outcome, RunError, RunOptions, SqliteStore
from flowcage.host.events.records import Event, QuestionAsked
from flowcage.host.outcome.ending import failure_to_json

from ..host.runs import Listener
from .cases_player import Player
from .cases_read import Case
from .cases_told import assert_told

RUN_ID = "case"
_ARGUMENTS = {"args": "args", "sourceName": "source_name", "metadata": "metadata", "limits": "limits"}


@asynccontextmanager
async def host_of(case: Case, folder: Path) -> AsyncIterator[Host]:
    """A host with a store or without."""
    store = SqliteStore.open(folder / "runs.db") if case.get("store") else None
    try:
        async with Host(store=store) as host:
            yield host
    finally:
        if store is not None:
            await store.aclose()


class Life:
    """From a start to an end."""

    def __init__(self, host: Host, case: Case) -> None:
        self._host = host
        self._case = case
        self._listener = Listener()
        self._scope = trio.CancelScope()
        self._player = Player(case, self._cancel)

    async def begin(self) -> None:
        """Have the run, and compare."""
        given = {_ARGUMENTS[name]: self._case[name] for name in _ARGUMENTS if name in self._case}
        await self._held_to(partial(self._host.run, "\n".join(self._case["source"]), **given))

    async def go_on(self) -> None:
        """Go on with it where it has ended before, and compare."""
        even = self._case.get("evenIfCancelled", False)
        await self._held_to(partial(self._host.resume, even_if_cancelled=even))

    async def _held_to(self, run: Callable[..., Awaitable[Outcome]]) -> None:
        async with trio.open_nursery() as outside:
            outcome = await self._outcome(run, outside)
        assert_told(self._case["expect"], outcome, self._listener.heard, self._player)

    async def _outcome(self, run: Callable[..., Awaitable[Outcome]], outside: trio.Nursery) -> dict[str, Any]:
        with self._scope:
            try:
                options, handlers = self._options(outside), Handlers(**self._player.handlers())
                return (await run(run_id=RUN_ID, handlers=handlers, options=options)).to_json()
            except RunError as error:
                return failure_to_json(error, error.report)
            except (FlowcageError, ValueError, TypeError) as error:
                return {"refused": str(error)}
        return self._outcome_heard()

    def _options(self, outside: trio.Nursery) -> RunOptions:
        given = {_snake_case(name): value for name, value in self._case.get("options", {}).items()}

        def hear(event: Event) -> None:
            self._listener(event)
            if isinstance(event, QuestionAsked):
                outside.start_soon(self._answer, event.question_id)

        return RunOptions(listener=hear, **given)

    async def _answer(self, question: str) -> None:
        """Answer from outside as the case says."""
        for answer in self._case.get("answers", []):
            if answer["questionId"] == question and "rejects" in answer:
                await self._host.reject(RUN_ID, question, answer["rejects"])
            elif answer["questionId"] == question:
                await self._host.answer(RUN_ID, question, answer["value"])

    async def _cancel(self) -> None:
        if self._case.get("store"):
            await self._host.cancel(RUN_ID, "enough")
        else:
            self._scope.cancel("enough")

    def _outcome_heard(self) -> dict[str, Any]:
        """That of a run whose caller was cancelled."""
        (end,) = self._listener.of("ended")
        return {**end, "error": {"message": end["error"]}, "phases": [], "diagnostics": []}


def _snake_case(name: str) -> str:
    return re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), name)
