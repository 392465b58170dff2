"""Reads of single rows that many ask for at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
import trio
import trio.testing

from flowcage.host.durable.sql.gathered import MOST, Gathered


class Rows:
    """Reads that end when they are told to.

    Attributes:
        reads: the names of each.
    """

    def __init__(self) -> None:
        self.reads: list[list[str]] = []
        self.gate = trio.Event()
        self.failure: Exception | None = None

    async def __call__(self, names: Sequence[str]) -> Mapping[str, str | Exception]:
        self.reads.append(list(names))
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return {name: KeyError(name) if name.startswith("bad") else f"<{name}>" for name in names}


def test_those_who_ask_during_a_read_share_the_next() -> None:
    async def main() -> None:
        rows = Rows()
        gathered, told = Gathered(rows), list[str]()

        async def ask(name: str) -> None:
            told.append(await gathered.get(name))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, "first")
            await trio.testing.wait_all_tasks_blocked()
            for number in range(100):
                nursery.start_soon(ask, f"n{number % 50:02}")
            nursery.start_soon(ask, "first")  # what is being read may be older
            await trio.testing.wait_all_tasks_blocked()
            rows.gate.set()
        assert rows.reads == [["first"], ["first", *(f"n{number:02}" for number in range(50))]]
        assert len(told) == 102
        assert await gathered.get("n00") == "<n00>"
        assert rows.reads[2:] == [["n00"]]

    trio.run(main)


def test_who_is_cancelled_or_asks_for_what_is_damaged_harms_nobody_else() -> None:
    async def main() -> None:
        rows = Rows()
        gathered, told = Gathered(rows), list[str]()

        async def ask(name: str) -> None:
            try:
                told.append(await gathered.get(name))
            except KeyError as error:
                told.append(repr(error))

        async with trio.open_nursery() as nursery:
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as leader:
                    leader.start_soon(ask, "a")
                    await trio.testing.wait_all_tasks_blocked()
                    for name in ("bad", "b"):
                        nursery.start_soon(ask, name)
                    await trio.testing.wait_all_tasks_blocked()
                    scope.cancel()
            await trio.testing.wait_all_tasks_blocked()
            rows.gate.set()
        assert sorted(told) == ["<b>", "KeyError('bad')"]

    trio.run(main)


def test_all_are_told_of_a_read_that_fails_and_the_next_is_tried_anew() -> None:
    async def main() -> None:
        rows = Rows()
        gathered, told = Gathered(rows), list[str]()

        async def ask(name: str) -> None:
            with pytest.raises(OSError, match="away"):
                await gathered.get(name)
            told.append(name)

        rows.failure = OSError("away")
        async with trio.open_nursery() as nursery:
            for name in ("a", "b", "c"):
                nursery.start_soon(ask, name)
            await trio.testing.wait_all_tasks_blocked()
            rows.gate.set()
        assert (sorted(told), rows.reads) == (["a", "b", "c"], [["a", "b", "c"]])
        rows.failure = None
        assert await gathered.get("a") == "<a>"

    trio.run(main)


def test_a_read_has_so_many_names_at_most() -> None:
    async def main() -> None:
        rows = Rows()
        gathered = Gathered(rows)
        async with trio.open_nursery() as nursery:
            for number in range(2 * MOST):
                nursery.start_soon(gathered.get, f"{number:04}")
            await trio.testing.wait_all_tasks_blocked()
            rows.gate.set()
        assert max(map(len, rows.reads)) <= MOST
        assert sum(map(len, rows.reads)) == 2 * MOST

    trio.run(main)
