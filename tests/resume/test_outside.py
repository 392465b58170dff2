"""What is given to live runs from outside reaches them: one watcher for each open store."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage import AgentAnswer, AgentCall, CancelRequested, Host, RunOptions
from flowcage.host.durable.errors import StoreFailed
from flowcage.host.durable.records import Cancel
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.resume.outside import Outside
from flowcage.host.resume.refusals import NotResumable
from flowcage.host.run.core.inputs import Answered, Refused

from ..durable.places import begun

WAITS = "await agent('first'); await SW.extra.sleep(300000); return 'done'"
DEADLINE_S = 300


class Noting:
    """An ear that notes what it is told."""

    def __init__(self, run_id: str, taken: list[tuple[str, object]]) -> None:
        self._run_id, self._taken = run_id, taken

    def take(self, answer: Answered | Refused) -> None:
        self._taken.append((self._run_id, answer))

    def end(self, cancel: Cancel) -> None:
        self._taken.append((self._run_id, cancel))

    def question(self, _request: str) -> None:
        return None


class Counting(SqliteStore):
    """Counts what is read of it."""

    looks = 0
    reads: list[str]

    async def outside(self) -> Any:
        self.looks += 1
        return await super().outside()

    async def answers(self, run_id: str) -> Any:
        self.reads.append(run_id)
        return await super().answers(run_id)


class Silent(SqliteStore):
    """Its news are lost."""

    async def news(self, **_: bool) -> None:
        await trio.sleep_forever()


def opened(path: Path, kind: type[SqliteStore] = SqliteStore) -> Any:
    return kind.open(path / "runs.db", durability="relaxed")


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what a thread or another host brings about."""
    with trio.fail_after(DEADLINE_S):
        while not holds():  # noqa: ASYNC110
            await trio.sleep(0.002)


def test_a_thousand_runs_are_looked_after_with_one_read(tmp_path: Path) -> None:
    async def main() -> None:
        store, other = opened(tmp_path, Counting), opened(tmp_path)
        store.reads = []
        taken: list[tuple[str, object]] = []
        outside, stack = Outside(store), ExitStack()
        for number in range(1000):
            run_id = f"r{number}"
            await begun(store, run_id)
            stack.enter_context(outside.hearing(run_id, Noting(run_id, taken), is_new=True))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(outside.watch)
            await other.answer("r7", Answered("1", "x"))
            await until(lambda: bool(taken))
            await other.cancel("r8", "enough")
            await until(lambda: len(taken) > 1)
            await other.cancel("r9")
            await until(lambda: len(taken) > 2)
            nursery.cancel_scope.cancel()
        assert [run_id for run_id, _ in taken] == ["r7", "r8", "r9"]
        assert taken[0][1] == Answered("1", "x")
        assert isinstance(taken[1][1], Cancel)
        assert store.reads == ["r7"]  # what was told is not read again
        assert store.looks == 3
        stack.close()
        await store.aclose()
        await other.aclose()

    trio.run(main)


def _has(heard: list[int], count: int) -> bool:
    return len(heard) >= count


@pytest.mark.parametrize("when", ["before it is heard", "while it is heard", "before it is taken up"])
def test_what_is_given_is_told_once_whenever_it_comes(tmp_path: Path, when: str) -> None:
    async def main() -> None:
        store, other = opened(tmp_path, Counting), opened(tmp_path)
        store.reads = []
        taken: list[tuple[str, object]] = []
        outside = Outside(store)
        await begun(store, "r")
        if when == "before it is taken up":
            await other.answer("r", Answered("1", "x"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(outside.watch)
            if when == "before it is heard":
                await other.answer("r", Answered("1", "x"))
                await until(lambda: store.looks > 0)
            is_new = when != "before it is taken up"
            with outside.hearing("r", Noting("r", taken), is_new=is_new):
                if when == "while it is heard":
                    await other.answer("r", Answered("1", "x"))
                await until(lambda: bool(taken))
                await other.cancel("r")
                await until(lambda: len(taken) > 1)
            assert [type(each) for _, each in taken] == [Answered, Cancel]
            nursery.cancel_scope.cancel()
        await store.aclose()
        await other.aclose()

    trio.run(main)


def test_what_was_told_to_nobody_is_found_all_the_same(tmp_path: Path) -> None:
    async def main() -> None:
        store, other = opened(tmp_path, Silent), opened(tmp_path)
        outside = Outside(store, poll_seconds=0.01)
        taken: list[tuple[str, object]] = []
        await begun(store, "r")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(outside.watch)
            with outside.hearing("r", Noting("r", taken), is_new=True):
                await other.answer("r", Answered("1", "x"))
                await until(lambda: bool(taken))
            nursery.cancel_scope.cancel()
        await store.aclose()
        await other.aclose()

    trio.run(main)


def test_a_store_that_cannot_be_read_for_a_while_is_looked_at_again(tmp_path: Path) -> None:
    class Failing(Counting):
        async def outside(self) -> Any:
            found = await super().outside()
            if self.looks == 1:
                raise StoreFailed("the server is gone")
            return found

    async def main() -> None:
        store = opened(tmp_path, Failing)
        taken: list[tuple[str, object]] = []
        await begun(store, "r")
        await store.cancel("r")
        outside = Outside(store)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(outside.watch)
            with outside.hearing("r", Noting("r", taken), is_new=False):
                await until(lambda: bool(taken))
            nursery.cancel_scope.cancel()
        assert store.looks >= 2
        await store.aclose()

    trio.run(main)


def test_several_wait_for_the_news_of_one_store(tmp_path: Path) -> None:
    async def main() -> None:
        store = opened(tmp_path)
        outside = Outside(store)
        heard: list[int] = []

        async def listen() -> None:
            seen = await outside.news(0)
            heard.append(seen)
            heard.append(await outside.news(seen))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(outside.watch)
            async with trio.open_nursery() as listeners:
                for _ in range(3):
                    listeners.start_soon(listen)
                await begun(store, "r")
                for count in (3, 6):
                    await store.cancel("r")
                    await until(partial(_has, heard, count))
            nursery.cancel_scope.cancel()
        await store.aclose()

    trio.run(main)


def test_a_live_run_of_a_host_is_cancelled_from_elsewhere(tmp_path: Path) -> None:
    async def main() -> None:
        store, other = opened(tmp_path), opened(tmp_path)
        caught: list[CancelRequested] = []

        async def run(host: Host) -> None:
            try:
                await host.run(WAITS, run_id="r", tenant="t")
            except CancelRequested as error:
                caught.append(error)

        asked = trio.Event()

        async def agent(call: AgentCall) -> AgentAnswer:
            asked.set()
            return AgentAnswer(call.prompt)

        options = RunOptions(timeout_seconds=DEADLINE_S, agent=agent)
        async with Host(store=store, options=options) as host:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(run, host)
                await asked.wait()
                await other.cancel("r", "too dear")
            (error,) = caught
            verdicts = (error.verdict, error.report.verdict)
            assert verdicts == (Verdict.CANCELLED, Verdict.CANCELLED)
            assert error.reason == "too dear"
            record = await other.load("r")
            assert record.summary.verdict == "cancelled"
            assert record.ending is not None
            assert record.ending.error == {"kind": "cancelled", "message": "the run was cancelled: too dear"}
            with pytest.raises(NotResumable, match="was cancelled: too dear; even_if_cancelled"):
                await host.resume("r", tenant="t")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(partial(host.resume, "r", tenant="t", even_if_cancelled=True))
                with trio.fail_after(DEADLINE_S):
                    while (await other.get("r")).cancel is not None:
                        await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
        await store.aclose()
        await other.aclose()

    trio.run(main)
