"""News of a store reaches every task that waits for it, whichever of them reads it."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from flowcage.host.durable.news import News


def test_what_comes_while_a_task_is_busy_is_told_to_it_although_another_reads_it() -> None:
    async def main() -> None:
        tell, told = trio.open_memory_channel[bool](10)
        news = News(told.receive)
        heard: list[str] = []

        async def listen(name: str, gate: trio.Event) -> None:
            await news.wait()
            heard.append(name)
            await gate.wait()
            await news.wait()
            heard.append(name)

        busy = trio.Event()
        free = trio.Event()
        free.set()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen, "busy", busy)
            nursery.start_soon(listen, "free", free)
            await trio.testing.wait_all_tasks_blocked()
            tell.send_nowait(False)
            await trio.testing.wait_all_tasks_blocked()
            assert sorted(heard) == ["busy", "free"]
            tell.send_nowait(False)
            await trio.testing.wait_all_tasks_blocked()
            assert heard[2:] == ["free"]
            busy.set()
            await trio.testing.wait_all_tasks_blocked()
            assert heard[2:] == ["free", "busy"]

    trio.run(main)


@pytest.mark.parametrize("which", [0, 1])
def test_when_the_task_that_reads_is_cancelled_another_reads(which: int) -> None:
    async def main() -> None:
        tell, told = trio.open_memory_channel[bool](10)
        news = News(told.receive)
        scopes = [trio.CancelScope(), trio.CancelScope()]
        heard: list[int] = []

        async def listen(number: int) -> None:
            with scopes[number]:
                await news.wait()
                heard.append(number)

        async with trio.open_nursery() as nursery:
            for number in (0, 1):
                nursery.start_soon(listen, number)
            await trio.testing.wait_all_tasks_blocked()
            scopes[which].cancel()
            await trio.testing.wait_all_tasks_blocked()
            tell.send_nowait(False)

        assert heard == [1 - which]

    trio.run(main)


@pytest.mark.parametrize("reads_first", ["of all", "of the queue"])
def test_what_is_of_the_queue_alone_is_told_to_who_asks_for_it(reads_first: str) -> None:
    async def main() -> None:
        tell, told = trio.open_memory_channel[bool](10)
        news = News(told.receive)
        heard: list[str] = []

        async def listen(name: str) -> None:
            while True:
                await news.wait(of_queue=name == "of the queue")
                heard.append(name)

        async with trio.open_nursery() as nursery:
            for name in sorted(("of all", "of the queue"), key=lambda name: name != reads_first):
                nursery.start_soon(listen, name)
                await trio.testing.wait_all_tasks_blocked()
            tell.send_nowait(True)
            await trio.testing.wait_all_tasks_blocked()
            assert heard == ["of the queue"]
            tell.send_nowait(False)
            await trio.testing.wait_all_tasks_blocked()
            assert sorted(heard[1:]) == ["of all", "of the queue"]
            nursery.cancel_scope.cancel()

    trio.run(main)
