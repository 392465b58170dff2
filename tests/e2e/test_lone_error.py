"""An error of a nursery's body is raised alone; those of its tasks come in a group, as trio has it."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from flowcage.host.cli.lone_error import open_nursery_raising


def test_an_error_of_the_body_is_raised_alone_and_cancels_the_tasks() -> None:
    cancelled = []

    async def task() -> None:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            cancelled.append(1)
            raise

    async def main() -> None:
        async with open_nursery_raising(LookupError) as nursery:
            nursery.start_soon(task)
            await trio.testing.wait_all_tasks_blocked()
            raise KeyError("body")

    with pytest.raises(KeyError, match="body"):
        trio.run(main)
    assert cancelled == [1]


def test_an_error_of_a_task_comes_in_a_group_in_place_of_the_bodys() -> None:
    async def task() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("task")

    async def main() -> None:
        async with open_nursery_raising(LookupError) as nursery:
            nursery.start_soon(task)
            await trio.testing.wait_all_tasks_blocked()
            raise KeyError("body")

    with pytest.RaisesGroup(ValueError):
        trio.run(main)


def test_an_error_of_another_class_comes_in_a_group() -> None:
    async def main() -> None:
        async with open_nursery_raising(LookupError):
            raise ValueError("body")

    with pytest.RaisesGroup(ValueError):
        trio.run(main)
