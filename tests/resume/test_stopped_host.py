"""A host that was stopped, was declared dead by force, and goes on, begins nothing any more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from flowcage.host import AgentAnswer, AgentCall, RunOptions
from flowcage.host.durable.sqlite.owners import Owners
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.resume.kept import take_up
from flowcage.protocol.messages import Json

from ..durable.places import ROOT


def test_a_host_that_has_lost_its_run_starts_no_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, asked = tmp_path / "runs.db", []
    words: list[str | Path] = [sys.executable, "-m", "tests.resume.stopped_host", path]

    async def agent(call: AgentCall) -> AgentAnswer:
        asked.append((call.prompt, call.interrupted))
        return AgentAnswer(f"new {call.prompt}")

    async def takes_over() -> Json:
        monkeypatch.setattr(Owners, "is_alive", lambda *_given: False)
        store = SqliteStore.open(path)
        options = RunOptions(agent=agent, timeout_seconds=120)
        try:
            kept = await take_up(store, "run")
            return (await kept.execute(kept.run(options))).result
        finally:
            await store.aclose()

    with subprocess.Popen(
        words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == ["a\n", "b\n"]
        os.kill(process.pid, signal.SIGSTOP)
        try:
            result = trio.run(takes_over)
        finally:
            os.kill(process.pid, signal.SIGCONT)
        rest, _ = process.communicate("go\n", timeout=120)
    assert rest == "fenced\n"
    assert process.returncode == 0
    assert result == ["old a", "new b", "new c", "new d"]
    assert asked == [("b", True), ("c", False), ("d", False)]
