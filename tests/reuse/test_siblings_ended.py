"""Runs that are ended from outside while several child workflows are at work: nothing is asked twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from .forks import Forks, on_store

KID = """const first = await agent('read ' + args.n);
export default [first, await agent('look at ' + args.n)];"""
SOURCE = """const kids = await parallel(['x', 'y', 'z'].map((n) => () => workflow('kid', {n})));
export default {kids, last: await agent('last')};"""
CALLS = sorted(["last", *(f"{what} {n}" for n in "xyz" for what in ("read", "look at"))])


@pytest.mark.parametrize("number", range(1, 8))
def test_a_run_whose_scope_is_cancelled_asks_nothing_twice(tmp_path: Path, number: int) -> None:
    async def work(forks: Forks) -> None:
        forks.kid = KID
        with trio.CancelScope() as scope:

            def on_call(_call: Any) -> None:
                if len(forks.asked) == number:
                    scope.cancel()

            forks.on_call = on_call
            await forks.run("a", SOURCE)
        assert scope.cancelled_caught
        forks.on_call = lambda _call: None
        await forks.resume("a")
        assert sorted(forks.answered) == CALLS

    on_store(tmp_path, work)
