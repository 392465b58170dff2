"""A host that is killed while a run falls asleep, sleeps or wakes loses nothing and repeats nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.run.core.inputs import Answered, Said
from flowcage.protocol.messages import AgentRequest

from . import sleeping_host
from .sleeping_host import RESULT

ROOT = Path(__file__).parents[2]
DEADLINE_S = 300
# Where a commit stands when the host is killed; there are eighty such points or more.
STEPS = range(1, 81)
SOME = STEPS[4::11]


def life(folder: Path, kill_at: int) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", sleeping_host.__name__, str(folder), str(kill_at)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def asked(folder: Path) -> list[tuple[str, bool]]:
    """Prompts in the order of the asking, and whether the agent was told that it had been asked before."""
    path = folder / "asked"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(line.rpartition(" ")[0], line.endswith("True")) for line in lines]


def answered(folder: Path) -> set[str]:
    """Prompts whose answers the store has."""

    async def read() -> set[str]:
        store = SqliteStore.open(folder / "runs.db", read_only=True)
        try:
            runs = await store.runs()
            entries = (await store.load(runs[0].run_id)).entries if runs else []
        finally:
            await store.aclose()
        prompts = {}
        for given in (each.input for each in entries):
            if isinstance(given, Said):
                path = f"{given.path}/" if given.path else ""
                agents = [each for each in given.requests if isinstance(each, AgentRequest)]
                prompts.update({f"{path}{each.id}": each.prompt for each in agents})
        inputs = [each.input for each in entries]
        return {prompts[each.id] for each in inputs if isinstance(each, Answered) and each.id in prompts}

    return trio.run(read) if (folder / "runs.db").exists() else set()


@pytest.mark.parametrize(
    "step", [each if each in SOME else pytest.param(each, marks=pytest.mark.thorough) for each in STEPS]
)
def test_a_host_is_killed_at_a_step_of_a_run_that_sleeps(tmp_path: Path, step: int) -> None:
    (tmp_path / "clock").write_text("1700000000000")
    killed = life(tmp_path, step)
    assert killed.returncode == -signal.SIGKILL or step > SOME[-1]
    known, before = answered(tmp_path), len(asked(tmp_path))
    done = life(tmp_path, 0)

    assert done.returncode == 0, done.stderr
    result, sleeps, tokens, _points = json.loads(done.stdout)
    assert (result, tokens) == (RESULT, 50)
    assert 2 <= sleeps <= 4
    again = asked(tmp_path)[before:]
    assert known.isdisjoint(prompt for prompt, _ in again)
    prompts = [prompt for prompt, _ in asked(tmp_path)]
    assert len(prompts) <= 6  # one call at most was at work
    assert all(is_told for prompt, is_told in again if prompts.count(prompt) > 1)
