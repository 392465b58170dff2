"""What agents had told that they spent is charged when their host was killed, and held to ceilings."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage.host.durable.records import RunRecord
from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.resume.looking.story import story_of
from flowcage.host.run.core.inputs import Charged, Told

from ..e2e.command import FLOWCAGE

DEADLINE_S = 300
SOURCE = """const found = [];
for (let i = 0; i < 3; i++) found.push(await agent('p' + i).catch((error) => error.message));
export default found;"""
# Tells what it spends, and has no end by itself until it is asked for one, or once too often.
AGENT = """import os, sys, time
prompt = sys.stdin.read()
with open(os.environ['PAID'], 'a') as paid:
    paid.write('x')
os.write(3, b'{"model": "m", "costUsd": 0.5, "usage": {"input": 9}}\\n')
os.write(3, b'{"costUsd": 1, "usage": {"input": 10, "output": 5}}\\n')
while os.path.getsize(os.environ['PAID']) < 3 and not os.path.exists(os.environ['PAID'] + '.end'):
    time.sleep(0.02)
print('done')"""


class Lives:
    """One run by the command line, whose hosts are killed while its agent is at work."""

    def __init__(self, folder: Path, *ceiling: str) -> None:
        (folder / "w.mjs").write_text(SOURCE)
        (folder / "agent.py").write_text(AGENT)
        self.paid = folder / "paid"
        self.store = folder / "runs.db"
        agent = f"command:{sys.executable} -S -E {folder / 'agent.py'}"
        self.first = ["run", str(folder / "w.mjs"), "--agent", agent, *ceiling]
        self.env = {"PAID": str(self.paid), "XDG_STATE_HOME": str(folder), "PATH": "/usr/bin:/bin"}

    def begun(self, *words: str) -> subprocess.Popen[str]:
        whole = [str(FLOWCAGE), *words, "--store", str(self.store)]
        pipe = subprocess.PIPE
        return subprocess.Popen(whole, stdout=pipe, stderr=pipe, text=True, env=self.env)

    def killed_when_told(self, life: int) -> None:
        """Kill the host when the store has all that the agent of this life has told."""
        host = self.begun(*(["resume", "@last"] if life else self.first))
        try:
            trio.run(self._told, life, host)
        finally:
            host.kill()
            host.communicate()

    async def _told(self, life: int, host: subprocess.Popen[str]) -> None:
        with trio.fail_after(DEADLINE_S):
            while not self.paid.exists() or _whole(await self._loaded()) <= life:
                assert host.poll() is None, host.communicate()
                await trio.sleep(0.05)

    async def _loaded(self) -> RunRecord | None:
        store = SqliteStore.open(self.store, read_only=True)
        try:
            runs = await store.runs()
            return await store.load(runs[0].run_id) if runs else None
        finally:
            await store.aclose()

    def record(self) -> RunRecord:
        record = trio.run(self._loaded)
        assert record is not None
        return record

    def ended(self) -> dict[str, Any]:
        stdout, stderr = self.begun("resume", "@last").communicate(timeout=DEADLINE_S)
        assert stdout, stderr
        found: dict[str, Any] = json.loads(stdout)
        return found

    def shown(self) -> dict[str, Any]:
        stdout, stderr = self.begun("show", "@last", "--json").communicate(timeout=DEADLINE_S)
        assert stdout, stderr
        found: dict[str, Any] = json.loads(stdout)
        return found


def _whole(record: RunRecord | None) -> int:
    """Of how many agents the store has the last word."""
    inputs = [] if record is None else [each.input for each in record.entries]
    return len([each for each in inputs if isinstance(each, Told) and each.spent.cost_usd == 1.0])


@pytest.mark.parametrize("ceiling", [("--max-cost", "1.5"), ("--budget", "20")])
def test_a_ceiling_holds_over_lives_that_were_killed(tmp_path: Path, ceiling: tuple[str, str]) -> None:
    lives = Lives(tmp_path, *ceiling)
    lives.killed_when_told(0)
    assert story_of(lives.record()).totals.cost_usd == 1.0  # before anybody has gone on with it
    lives.killed_when_told(1)
    ended = lives.ended()

    assert lives.paid.read_text() == "xx"  # who would be asked a third time had begun beyond the ceiling
    assert ended["usage"]["costUsd"] == 2.0
    assert ended["usage"]["tokens"] == 30
    assert ended["usage"]["byModel"]["m"]["costUsd"] == 2.0
    assert len(ended["result"]) == 3
    assert all("is refused" in each for each in ended["result"])
    story = story_of(lives.record())
    assert (story.totals.cost_usd, story.calls["1"].attempts[0].costs.cost_usd) == (2.0, 2.0)
    assert lives.shown()["usage"]["costUsd"] == 2.0


def test_an_answer_after_a_kill_costs_what_it_says_beside_what_was_told(tmp_path: Path) -> None:
    lives = Lives(tmp_path)
    lives.killed_when_told(0)
    (tmp_path / "paid.end").touch()
    ended = lives.ended()
    inputs = [each.input for each in lives.record().entries]

    assert ended["result"] == ["done"] * 3
    assert (ended["usage"]["costUsd"], ended["usage"]["tokens"]) == (4.0, 60)
    assert len([each for each in inputs if isinstance(each, Charged)]) == 1
    assert story_of(lives.record()).totals.cost_usd == 4.0
