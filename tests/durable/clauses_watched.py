"""A run that is looked at or ended by others than its host: clauses of the contract of a store."""

from __future__ import annotations

import pytest
import trio

from flowcage.host.durable.errors import Fenced, RunHasEnded, UnknownRun
from flowcage.host.durable.records import Ending, Filter
from flowcage.host.run.core.inputs import Answered, Input, Turn
from flowcage.protocol.messages import MISSING

from . import places
from .contract import DONE, clause, dead
from .places import Place, begun, host, new, written


@clause
async def a_run_whose_host_is_gone_is_told_from_one_that_goes_on(place: Place) -> None:
    async with host(place) as one:
        await begun(one, "gone")
        await begun(one, "ended")
        await one.end("ended", 1, DONE)
    async with host(place) as one, host(place) as two:
        await dead(two, 1)
        await begun(one, "live")
        told = {each.run_id: (each.state, each.is_abandoned) for each in await two.runs()}
        assert told == {"gone": ("running", True), "ended": ("ended", False), "live": ("running", False)}
        for run_id, (_, is_abandoned) in told.items():
            assert (await two.get(run_id)).is_abandoned == is_abandoned
            assert (await two.load(run_id)).summary.is_abandoned == is_abandoned

        async def ids(*states: str, abandoned: bool) -> list[str]:
            which = Filter(states=states or None, abandoned=abandoned)  # type: ignore[arg-type]
            return sorted([each.run_id for each in await two.runs(which)])

        assert await ids(abandoned=True) == ["ended", "gone"]
        assert await ids(abandoned=False) == ["ended", "live"]
        assert await ids("running", abandoned=True) == ["gone"]
        assert await ids("running", abandoned=False) == ["live"]


@clause
async def a_run_that_nobody_has_can_be_ended_and_no_other(place: Place) -> None:
    ending = Ending("cancelled", MISSING, {"message": "enough"})
    async with host(place) as one:
        await begun(one, "gone", Turn(""))
    async with host(place) as one, host(place) as two:
        await dead(two, 1)
        await begun(one, "live")
        await begun(one, "answered")
        await one.answer("answered", Answered("1", None))
        await one.release("answered", 1)
        await begun(one, "sleeps")
        await one.sleep("sleeps", 1)
        journal = await begun(one, "diverged")
        await one.diverge("diverged", 1, DONE)
        await one.create(new("queued"), queued=True)
        assert not await two.end_unowned("live", ending)
        assert not await one.end_unowned("live", ending)
        for run_id in ("gone", "answered", "sleeps", "diverged", "queued"):
            assert await two.end_unowned(run_id, ending), run_id
            record = await two.load(run_id)
            assert record.ending == ending
            assert (record.summary.state, record.summary.owner) == ("ended", None)
            with pytest.raises(RunHasEnded):
                await two.end_unowned(run_id, ending)
        with pytest.raises(Fenced):
            await written(journal, Turn("late"))
        assert (await two.get("live")).state == "running"
        assert await two.claim("gone", reopen=True) == 3
        with pytest.raises(UnknownRun):
            await two.end_unowned("none", ending)


@clause
async def an_answer_that_is_turned_away_leaves_room_for_another(place: Place) -> None:
    async with host(place) as one, host(place) as two:
        journal = await begun(one, "r")
        await two.answer("r", Answered("1", "wrong"))
        await two.answer("r", Answered("2", "other"))
        with pytest.raises(Fenced):
            await two.turn_away("r", 1, "1")
        await one.turn_away("r", 1, "1")
        assert [each.request for each in await one.answers("r")] == ["2"]
        assert await two.answer("r", Answered("1", "right"))
        assert not await two.answer("r", Answered("1", "late"))
        journal.expect_outside("1")
        await written(journal, Answered("1", "right"))
        await one.turn_away("r", 1, "1")  # what was taken in stays
        assert not await two.answer("r", Answered("1", "late"))


@clause
async def a_history_is_read_on_from_any_entry(place: Place) -> None:
    async with host(place) as store:
        inputs: list[Input] = [Answered("1", "x" * 100_000), Turn(""), Turn("x")]
        await begun(store, "r", *inputs)
        for since in range(5):
            assert await store.entries("r", since) == list((await store.load("r")).entries)[since:]
        with pytest.raises(UnknownRun):
            await store.entries("none", 0)


@clause
async def whoever_follows_a_run_is_told_of_what_is_appended(place: Place) -> None:
    async with host(place) as one, host(place) as two:
        followed, other = await begun(one, "r"), await begun(one, "s")
        with pytest.raises(UnknownRun):
            await two.follow("none")
        await two.follow("r")
        with trio.fail_after(places.DEADLINE_S):
            await written(followed, Turn(""))
            await two.news()
            await written(other, Turn(""))
            await written(followed, Turn("x"))
            await two.news()
            await one.end("r", 1, DONE)
            await two.news()
        assert (await two.get("r")).state == "ended"
