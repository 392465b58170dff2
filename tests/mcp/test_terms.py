"""Runs that others began are gone on with only as the server's own runs are begun."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..e2e.command import FLOWCAGE, flowcage
from .client import Asking, end_all, with_client

FAILS = """
export const meta = { name: 'fails' };
const told = await agent('What?', { label: 'one' });
if (args.fails) throw new Error('no');
return told;
"""
ASKS = "import { ask } from 'workflow:extra'; export default async () => ask('Go?');"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "fails.js").write_text(FAILS)
    (folder / "asks.js").write_text(ASKS)
    yield folder
    end_all(folder / "runs.db")


def begun(cwd: Path, store: Path, script: str, *words: str) -> str:
    """A run that somebody began at a terminal, and that is over or waits."""
    begin = ("run", "--detach", "--quiet", "--no-prompt", f"--store={store}", "--args={}", *words)
    done = flowcage(*begin, script, cwd=cwd)
    assert done.status == 0, done.stderr
    return str(done.json["runId"])


def cancelled(folder: Path, *words: str, cwd: Path | None = None, script: str = "asks.js") -> str:
    """One that was cancelled, with which it can be gone on."""
    store = folder / "runs.db"
    run_id = begun(cwd or folder, store, script, *words)
    flowcage("cancel", "--wait", run_id, f"--store={store}")
    return run_id


# Options of the run, options of the server beside --agent=mock, and why it is not gone on with.
BEYOND: list[tuple[list[str], list[str], str]] = [
    (["--agent=command:cat"], [], "begun with the agent 'command:cat', which this server does not ask"),
    (["--agent=mock"], ["--max-cost=2"], "begun without a ceiling on its cost, and this server allows $2"),
    (["--agent=mock", "--max-cost=9"], ["--max-cost=2"], "with a ceiling of $9, and this server allows $2"),
    (["--agent=mock"], ["--model=small"], "with the model None, and this server has 'small'"),
    (["--agent=mock", "--model=opus=big"], ["--model=opus=small"], "another model for 'opus' than 'small'"),
    (
        ["--agent=mock", f"--child-command={FLOWCAGE.with_name('flowcage-child')}"],
        [],
        "a child command of its own",
    ),
]
WITHIN: list[tuple[list[str], list[str]]] = [
    (["--agent=mock"], []),
    (["--agent=mock", "--max-cost=2"], ["--max-cost=2"]),
    (["--agent=mock", "--max-cost=1", "--model=small"], ["--max-cost=2", "--model=small"]),
]


@pytest.mark.parametrize(("words", "of_server", "why"), BEYOND)
def test_a_run_that_is_beyond_the_terms_of_a_server_is_not_gone_on_with(
    folder: Path, words: list[str], of_server: list[str], why: str
) -> None:
    run_id = cancelled(folder, *words)

    async def work(asking: Asking) -> None:
        told = await asking.ok("resume", run=run_id)
        assert "even-if-cancelled" not in [each["name"] for each in told["ways"]]
        assert why in told["refused"]["even-if-cancelled"]
        for start in (False, True):
            said = await asking.refused("resume", run=run_id, way="even-if-cancelled", start=start)
            assert why in said
            assert f"flowcage resume {run_id}" in said
        assert (await asking.ok("get", run=run_id))["run"]["state"] == "ended"

    with_client(folder, work, *of_server)


@pytest.mark.parametrize(("words", "of_server"), WITHIN)
def test_a_run_that_is_within_them_is_gone_on_with(
    folder: Path, words: list[str], of_server: list[str]
) -> None:
    run_id = cancelled(folder, *words)

    async def work(asking: Asking) -> None:
        told = await asking.ok("resume", run=run_id, way="even-if-cancelled", start=True)
        assert told["runId"] == run_id

    with_client(folder, work, *of_server)


def test_a_run_of_another_folder_is_not_gone_on_with(folder: Path) -> None:
    other = folder.parent / "other"
    other.mkdir()
    (other / "asks.js").write_text(ASKS)
    (folder / "link.js").symlink_to(other / "asks.js")
    runs = [
        cancelled(folder, "--agent=mock", cwd=other),
        cancelled(folder, "--agent=mock", script="link.js"),
    ]

    async def work(asking: Asking) -> None:
        for run_id in runs:
            said = await asking.refused("resume", run=run_id, way="even-if-cancelled", start=True)
            assert f"lies outside of {folder}" in said

    with_client(folder, work)


def test_what_a_name_finds_above_the_folder_is_run_and_gone_on_with(folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".claude" / "workflows").mkdir(parents=True)
    (folder / ".claude" / "workflows" / "above.js").write_text(ASKS)
    below = folder / "below"
    below.mkdir()

    async def work(asking: Asking) -> None:
        listed = (await asking.ok("list_workflows"))["workflows"]
        assert "../.claude/workflows/above.js" in [each["path"] for each in listed]
        assert "lies outside of" in await asking.refused("run", workflow="../.claude/workflows/above.js")
        run_id = (await asking.ok("run", workflow="above"))["runId"]
        await asking.ok("wait", run=run_id, seconds=100)
        await asking.ok("cancel", run=run_id)
        await asking.ok("wait", run=run_id, seconds=100)
        gone_on = await asking.ok("resume", run=run_id, way="even-if-cancelled", start=True)
        assert gone_on["runId"] == run_id

    with_client(below, work)
    end_all(below / "runs.db")


def test_a_new_run_that_reuses_answers_is_within_the_terms_although_the_old_one_was_not(folder: Path) -> None:
    store = folder / "runs.db"
    run_id = begun(folder, store, "fails.js", '--args={"fails": true}', "--agent=command:cat")
    flowcage("wait", run_id, f"--store={store}")
    kept: list[Any] = []

    async def work(asking: Asking) -> None:
        assert [each["name"] for each in (await asking.ok("resume", run=run_id))["ways"]] == ["retry-failed"]
        fork = (await asking.ok("resume", run=run_id, way="retry-failed", start=True))["runId"]
        await asking.ok("wait", run=fork, seconds=100)
        kept.append(json.loads(await asking.read(f"flowcage://runs/{fork}")))

    with_client(folder, work, "--max-cost=2", "--model=small")
    (document,) = kept
    assert document["calls"][0]["value"] == "echo: What?"  # of mock, and not of cat
    assert document["run"]["forkedFrom"] == run_id
