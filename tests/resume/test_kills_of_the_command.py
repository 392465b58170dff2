"""``flowcage run`` that is killed again and again, and ``flowcage resume`` until the run is done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import trio

from flowcage.host.durable.sqlite.store import SqliteStore
from flowcage.host.run.core.inputs import Answered, Said
from flowcage.protocol.messages import AgentRequest

from ..e2e.command import FLOWCAGE
from .killing_agent import kill

AGENT = Path(__file__).parent / "killing_agent.py"
DEADLINE_S = 300
SOURCE = """
const notes = await parallel([1, 2, 3, 4].map((n) => () => agent('note ' + n)));
await SW.extra.sleep(20);
const kids = await parallel(['x', 'y'].map((name) => () => workflow('kid', {name})));
const steps = [];
for (let i = 0; i < 12; i++) steps.push(await agent(`step ${i} after ${steps.at(-1)}`));
log('done');
export default {notes, kids, steps};"""
KID = """
const got = await parallel([1, 2].map((n) => () => agent(`${args.name} ${n}`)));
export default [got, await agent(`${args.name} of ${got.join()}`)];"""


class Command:
    """The command on one store.

    Args:
        folder: of the workflows, the store and the notes.
        seed, kills: of the agents.
    """

    def __init__(self, folder: Path, seed: int, kills: int) -> None:
        folder.mkdir()
        (folder / "w.js").write_text(SOURCE)
        (folder / "kid.js").write_text(KID)
        self.notes = folder / "notes"
        self.notes.touch()
        self.store = folder / "runs.db"
        self.agent = f"command:{sys.executable} -S -E {AGENT} {self.notes} {seed} {kills}"
        self._folder = folder

    def words(self, *more: str) -> list[str | Path]:
        """A first run of the workflow, for a test that looks on."""
        return [FLOWCAGE, "run", self._folder / "w.js", "--store", self.store, *more]

    def run(self) -> subprocess.CompletedProcess[str]:
        return self("run", self._folder / "w.js", "--agent", self.agent, "--quiet")

    def resume(self) -> subprocess.CompletedProcess[str]:
        return self("resume", "@last", "--quiet")

    def result(self) -> object:
        """Of a run that has completed; None before."""
        done = self("result", "@last")
        return json.loads(done.stdout) if done.returncode == 0 else None

    def verify(self) -> dict[str, Any]:
        """What a replay says of the run."""
        done = self("replay", "@last", "--verify", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        report: dict[str, Any] = json.loads(done.stdout)["runs"][0]
        return report

    @contextmanager
    def killer(self) -> Iterator[None]:
        """Kill hosts when agents ask for it, which end before they could do so themselves."""
        pipe = Path(f"{self.notes}.kills")
        os.mkfifo(pipe)
        with open(os.open(pipe, os.O_RDWR)) as asked:

            def kill_as_asked() -> None:
                for line in iter(asked.readline, "\n"):
                    host, seconds = line.split()
                    time.sleep(float(seconds))
                    kill(int(host))

            thread = threading.Thread(target=kill_as_asked)
            thread.start()
            try:
                yield
            finally:
                pipe.write_text("\n")
                thread.join()

    def __call__(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [FLOWCAGE, *words, "--store", self.store],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def asked(self) -> list[str]:
        """Prompts, in the order of the asking; a host that was killed first has left an agent without one."""
        lines = self.notes.read_text().splitlines()
        return [line.removeprefix("ask ") for line in lines if line.startswith("ask ") and line != "ask "]

    def answered(self) -> set[str]:
        """Prompts of the calls whose answers the store has."""

        async def read() -> set[str]:
            store = SqliteStore.open(self.store, read_only=True)
            try:
                inputs = [each.input for each in (await store.load(await store.find("@last"))).entries]
            finally:
                await store.aclose()
            prompts = {}
            for given in inputs:
                if isinstance(given, Said):
                    for request in given.requests:
                        if isinstance(request, AgentRequest):
                            path = f"{given.path}/" if given.path else ""
                            prompts[f"{path}{request.id}"] = request.prompt
            return {prompts[each.id] for each in inputs if isinstance(each, Answered) and each.id in prompts}

        return trio.run(read)


def to_the_end(command: Command) -> tuple[object, int]:
    """Resume until the run is done; its result, and how often it was killed."""
    with command.killer():
        done, kills = command.run(), 0
        while done.returncode == -signal.SIGKILL:
            kills += 1
            if (completed := command.result()) is not None:  # killed after its end was written
                return completed, kills
            answered, before = command.answered(), len(command.asked())
            done = command.resume()
            again = answered & set(command.asked()[before:])
            assert not again, f"life {kills}: asked again although the store has the answers: {again}"
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["result"], kills


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.thorough) for n in range(2, 60))])
def test_a_command_that_is_killed_and_resumed_ends_as_one_that_is_not(tmp_path: Path, seed: int) -> None:
    undisturbed, none = to_the_end(Command(tmp_path / "undisturbed", seed, 0))
    command = Command(tmp_path / "killed", seed, 15)
    result, kills = to_the_end(command)

    assert none == 0
    assert kills >= 3
    assert result == undisturbed
    assert set(command.asked()) == command.answered()
    report = command.verify()
    assert report["same"]
    assert [each["end"] for each in report["workflows"] if not each["path"]] == ["complete"]
    assert report["turns"] > len(command.answered()) / 2
    again = command.resume()
    assert (again.returncode, again.stdout) == (2, "")
    assert "has completed; there is nothing to go on with" in again.stderr


def test_of_two_that_resume_one_run_at_once_one_is_refused(tmp_path: Path) -> None:
    command = Command(tmp_path / "w", 1, 0)
    waits = f"command:sh -c 'echo ask >> {command.notes}; cat {tmp_path}/pipe'"
    os.mkfifo(tmp_path / "pipe")
    words: list[str | Path] = [
        FLOWCAGE,
        "run",
        tmp_path / "w" / "w.js",
        "--store",
        command.store,
        "--agent",
        waits,
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        assert any("agent 4" in line for line in running.stderr)
        live = command.resume()
        assert (live.returncode, live.stdout) == (2, "")
        assert "goes on already, in another process" in live.stderr
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=DEADLINE_S)
    assert running.returncode == 130
    run_id = err.partition("resume with: flowcage resume ")[2].split()[0]

    words = [FLOWCAGE, "resume", run_id[:20], "--store", command.store]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as first:
        assert first.stderr is not None
        assert any("agent 4" in line for line in first.stderr)
        second = command.resume()
        assert (second.returncode, second.stdout) == (2, "")
        first.terminate()
        first.communicate(timeout=DEADLINE_S)
    assert first.returncode == 143
    unknown = command("resume", "nobody")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "the store has no run 'nobody'" in unknown.stderr


def test_a_run_whose_child_is_killed_is_resumed(tmp_path: Path) -> None:
    command = Command(tmp_path / "w", 1, 0)
    words = command.words("--agent", command.agent)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if "step 3" in line:
                break
        for child in psutil.Process(running.pid).children():
            if any("die-with" in word for word in child.cmdline()):  # and not an agent, or what will be one
                os.kill(child.pid, signal.SIGKILL)
        out, err = running.communicate(timeout=DEADLINE_S)
    assert running.returncode == 137, err
    assert json.loads(out)["verdict"] == "crashed"
    assert "resume with: flowcage resume" in err
    answered, before = command.answered(), len(command.asked())
    done = command.resume()
    assert done.returncode == 0, done.stderr
    assert not answered & set(command.asked()[before:])
