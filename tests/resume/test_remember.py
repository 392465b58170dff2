"""What an agent remembers is there where the same attempt is asked once more."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage import AgentAnswer, AgentCall, RequestRejected, RunOptions
from flowcage.host.agents.call import MAX_HANDLE_BYTES
from flowcage.host.durable.errors import StoreFailed
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.resume.new.begin import begin
from flowcage.host.run.core.inputs import Remembered
from flowcage.host.run.run import Run
from flowcage.protocol.messages import Json, SandboxExecRequest, WorkflowRequest

from ..durable.places import ROOT
from ..host.children import Launcher
from .one_life import one_life

PAGE = ROOT / "docs" / "durable.md"


def lives(folder: Path, source: str, *handlers: dict[str, Any]) -> list[Json]:
    """The results of the lives of one run; None for those that a handler has ended with `Stop`."""
    launcher = Launcher()

    async def life(number: int, more: dict[str, Any]) -> Json:
        given = RunOptions(launcher=launcher, timeout_seconds=120, **more)
        return await one_life(folder, number, source, given, SCOPES)

    results = [trio.run(life, number, more) for number, more in enumerate(handlers)]
    launcher.assert_nothing_left()
    return results


SCOPES: list[trio.CancelScope] = []  # of the lives of the test at hand


async def stop() -> None:
    """End this life of the host."""
    SCOPES[-1].cancel()
    await trio.sleep_forever()


def test_the_last_note_of_an_attempt_is_there_in_the_next_life(tmp_path: Path) -> None:
    calls: list[AgentCall] = []

    async def first(call: AgentCall) -> AgentAnswer:
        calls.append(call)
        await call.remember("one")
        await call.remember("two \ud800")
        await stop()
        raise AssertionError

    async def second(call: AgentCall) -> AgentAnswer:
        calls.append(call)
        return AgentAnswer("x")

    source = "export default [await agent('a'), await agent('b')]"
    assert lives(tmp_path, source, {"agent": first}, {"agent": second}) == [None, ["x", "x"]]
    assert [(each.prompt, each.interrupted, each.handle) for each in calls] == [
        ("a", False, None),
        ("a", True, "two \ud800"),
        ("b", False, None),
    ]
    assert [each.idempotency_key for each in calls] == ["run/1/1", "run/1/1", "run/2/1"]


def test_a_note_is_written_before_remember_returns(tmp_path: Path) -> None:
    there: list[Any] = []

    async def agent(call: AgentCall) -> AgentAnswer:
        await call.remember("session 7")
        store = SqliteStore.open(tmp_path / "runs.db", read_only=True)
        try:
            there.extend(each.input for each in (await store.load("run")).entries)
        finally:
            await store.aclose()
        return AgentAnswer("x")

    lives(tmp_path, "export default agent('a')", {"agent": agent})
    assert Remembered("1", "session 7") in there


def test_a_retry_begins_without_a_note_and_with_another_key(tmp_path: Path) -> None:
    calls: list[AgentCall] = []

    async def agent(call: AgentCall) -> AgentAnswer:
        calls.append(call)
        await call.remember(f"of {call.attempt}")
        if len(calls) == 1:
            raise RequestRejected("busy")
        return AgentAnswer({"n": 1} if len(calls) == 3 else "no object")

    source = """export default agent('a',
        {schema: {type: 'object'}, retry: {maxAttempts: 2, backoffMs: 0}})"""
    assert lives(tmp_path, source, {"agent": agent}) == [{"n": 1}]
    assert [(each.handle, each.idempotency_key) for each in calls] == [
        (None, "run/1/1"),
        (None, "run/1/2"),
        ("of 2", "run/1/2.2"),  # the same attempt, shown what was wrong
    ]


def test_calls_of_a_child_workflow_have_keys_of_their_own(tmp_path: Path) -> None:
    keys: list[str] = []

    async def agent(call: AgentCall) -> AgentAnswer:
        keys.append(call.idempotency_key)
        if len(keys) == 2:
            await call.remember("of the child")
            await stop()
        return AgentAnswer(call.handle or "none")

    async def kid(caller: Any, _request: WorkflowRequest) -> Json:
        return await caller.run_child("export default agent('kid')", "kid.js", {})

    source = "await agent('a'); export default workflow('kid')"
    handlers = {"agent": agent, "workflow": kid}
    assert lives(tmp_path, source, handlers, handlers) == [None, "of the child"]
    assert keys == ["run/1/1", "run/2/1/1", "run/2/1/1"]


@pytest.mark.parametrize(
    ("handle", "error", "why"),
    [
        (7, TypeError, "must be text, not int"),
        ("é" * (MAX_HANDLE_BYTES // 2 + 1), ValueError, "may have 8,192 bytes of UTF-8, not 8,194"),
        ("a\0b", ValueError, "must have no NUL"),
    ],
)
def test_what_is_no_handle_is_refused(handle: Any, error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why):
        trio.run(AgentCall("1", "p", {}).remember, handle)


def test_without_a_store_a_note_lasts_for_the_attempt_and_not_longer() -> None:
    launcher, calls = Launcher(), []

    async def agent(call: AgentCall) -> AgentAnswer:
        calls.append(call)
        await call.remember("é" * (MAX_HANDLE_BYTES // 2))
        return AgentAnswer("no object" if len(calls) == 1 else {})

    async def main() -> None:
        options = RunOptions(agent=agent, launcher=launcher, timeout_seconds=120)
        run = Run(options, "w.js", run_id="run")
        await run.execute("export default agent('a', {schema: {type: 'object'}})", {})
        with pytest.raises(RuntimeError, match="the call 1 has ended: nothing is remembered"):
            await calls[0].remember("late")

    trio.run(main)
    assert [each.handle for each in calls] == [None, "é" * (MAX_HANDLE_BYTES // 2)]


def test_a_note_that_cannot_be_kept_ends_the_run(tmp_path: Path) -> None:
    launcher, came_back = Launcher(), []

    async def agent(call: AgentCall) -> AgentAnswer:
        await call.remember("one")
        await trio.to_thread.run_sync(stores[0].committer.close)
        with trio.CancelScope(shield=True), pytest.raises(RuntimeError, match="the run is being ended"):
            await call.remember("two")
        await call.remember("three")
        came_back.append(call)
        return AgentAnswer("x")

    stores: list[SqliteStore] = []

    async def main() -> None:
        stores.append(store := SqliteStore.open(tmp_path / "runs.db"))
        given = RunOptions(agent=agent, launcher=launcher, timeout_seconds=120)
        kept = await begin(store, "run", "export default agent('a')", "w.js", {}, given)
        with pytest.raises(StoreFailed):
            await kept.execute(kept.run(given))
        await store.aclose()

    trio.run(main)
    assert not came_back
    launcher.assert_nothing_left()


@pytest.mark.parametrize(("choice", "count"), [("again", 2), ("reject", 1)])
def test_a_program_that_was_at_work_is_run_again_or_its_call_rejects(
    tmp_path: Path, choice: str, count: int
) -> None:
    began: list[str] = []

    async def execute(request: SandboxExecRequest) -> Json:
        began.append(request.profile)
        if len(began) == 1:
            await stop()
        return "ran"

    given = {"sandbox_exec": execute, "on_interrupted": {"build": choice}}
    source = """import {exec} from 'workflow:sandbox';
        const one = await exec('build', {command: 'true'}).catch((error) => error.message);
        export default [one, await exec('build', {command: 'true'})]"""
    [_, result] = lives(tmp_path, source, given, given)
    assert isinstance(result, list)
    assert result[1] == "ran"
    assert len(began) == count + 1
    told = "the program of profile 'build' was at work when the host ended: it may have run"
    assert result[0] == "ran" if choice == "again" else str(result[0]).startswith(told)


def test_a_choice_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"on_interrupted\['a'\] must be one of again, reject"):
        RunOptions(on_interrupted={"a": "never"})  # type: ignore[dict-item]


def test_the_agent_of_the_page_goes_on_with_its_session(tmp_path: Path) -> None:
    words: list[str | Path] = [sys.executable, "-m", "tests.resume.sessions", tmp_path, PAGE]

    def live() -> subprocess.CompletedProcess[str]:
        return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)

    assert live().returncode == -signal.SIGKILL
    done = live()
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["<before>", "<long work>", "<after>"]
    told = [
        [json.loads(line) for line in file.read_text().splitlines()]
        for file in sorted((tmp_path / "sessions").iterdir())
    ]
    assert told == [
        [["before", "run/1/1"]],
        [["long work", "run/2/1"], ["attached", "run/2/1"]],
        [["after", "run/3/1"]],
    ]
