"""A real run that is recorded in a store is brought about again by what the store gives back."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from flowcage.host import RunOptions
from flowcage.host.durable.history.digests import digests_of
from flowcage.host.durable.history.forms import Redaction, withhold_prompts
from flowcage.host.durable.options import StoreOptions
from flowcage.host.durable.records import Ending, NewRun, RunRecord
from flowcage.host.durable.reuse.calls import calls_of
from flowcage.host.durable.reuse.content import Known
from flowcage.host.resume.keeper import Keeper
from flowcage.host.run.core.commands import Finish, Tell
from flowcage.host.run.core.fold import Core
from flowcage.host.run.core.inputs import Said
from flowcage.host.run.run import Run
from flowcage.protocol.messages import Json

from ..host.children import Launcher
from ..host.runs import Agent, busy
from ..run.test_fold import SOURCE, kid
from .places import SqlitePlace, host, workflow


def recorded(folder: Path, redact: Redaction | None) -> tuple[Run, RunRecord]:
    """The run of the core's own test, and its record."""
    launcher, made = Launcher(), []
    options = RunOptions(
        agent=Agent("x", busy(), "y", "z", "kid", 5, "text"),
        workflow=kid,
        launcher=launcher,
        timeout_seconds=120,
        budget_tokens=500,
    )

    async def main() -> RunRecord:
        async with host(SqlitePlace(folder), StoreOptions(redact=redact)) as store:
            rules = options.rules(frozenset({"agent", "workflow"}))
            await store.create(NewRun("r", "t", rules, workflow(source=SOURCE)))
            keeper = Keeper(store, "r", 1)
            made.append(Run(options, "w.js", journal=keeper))
            result: Json = (await made[0].execute(SOURCE, {})).result
            await keeper.kept()
            await store.end("r", 1, Ending("completed", result))
            return await store.load("r")

    record = trio.run(main)
    launcher.assert_nothing_left()
    return made[0], record


@pytest.mark.parametrize("redact", [None, withhold_prompts])
def test_what_a_store_gives_back_brings_about_the_same(tmp_path: Path, redact: Redaction | None) -> None:
    run, record = recorded(tmp_path, redact)
    again = Core(record.rules)
    commands = [command for entry in record.entries for command in again.step(entry.at, entry.input)]

    assert record.ending is not None
    finished = [each.result for each in commands if isinstance(each, Finish) and each.path == ""]
    assert finished == [record.ending.result]
    told = [resolve.id for each in commands if isinstance(each, Tell) for resolve in each.resolves]
    assert sorted(told) == ["1", "1", "2", "3", "4", "5", "6"]
    assert again.tree.totals == run.driver.core.tree.totals
    assert again.tree.phases == run.driver.core.tree.phases


def test_replies_of_a_real_run_have_the_digests_that_they_are_compared_by(tmp_path: Path) -> None:
    _, record = recorded(tmp_path, None)
    replies = [(each.input, each.digests) for each in record.entries if isinstance(each.input, Said)]

    assert len(replies) > 3
    assert all(digests == digests_of(record.digest_key, said) for said, digests in replies)


def test_the_calls_of_a_real_run_are_found(tmp_path: Path) -> None:
    _, record = recorded(tmp_path, None)
    calls = calls_of(record, Known(sources={"5": "hash"}))

    assert sorted(each.id for each in calls) == ["1", "2", "3", "4", "5", "5/1", "6"]
    assert {each.outcome for each in calls} == {"answered"}
    assert all(each.turn is not None for each in calls)
