"""``--detach``: the run goes on without the terminal."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from .command import DEADLINE, FLOWCAGE, flowcage
from .kept import on

SOURCE = "log('began'); export default [await agent('one'), await agent('two')];"


class Place:
    """A store, and agents that wait until they are let go."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "runs.db"
        self.waits, self.go = folder / "waits", folder / "go"
        os.mkfifo(self.waits)
        os.mkfifo(self.go)
        (folder / "w.js").write_text(SOURCE)
        agent = folder / "agent"
        agent.write_text(f"#!/bin/sh\nps -o sid= -p $$ > {self.waits}; read word < {self.go}; echo $word\n")
        agent.chmod(0o700)
        self.words = ["run", str(folder / "w.js"), "--agent", f"command:{agent}"]

    def detach(self, *words: str) -> dict[str, str]:
        done = on(self.store, *words, "--detach")
        assert (done.status, done.stderr) == (0, "")
        told: dict[str, str] = json.loads(done.stdout)
        return told

    def let_the_old_agent_go(self) -> None:
        """It waits in open(2), if it outlives its host, and would take the answer of the new one."""
        with suppress(OSError):
            os.close(os.open(self.go, os.O_WRONLY | os.O_NONBLOCK))
        self.go.unlink()
        os.mkfifo(self.go)

    def answer(self, word: str) -> None:
        self.waits.read_text()
        self.go.write_text(f"{word}\n")


@contextmanager
def killed(store: Path) -> Iterator[None]:
    """Whatever becomes of the block, no detached process is left."""
    try:
        yield
    finally:
        for process in processes_of(store):
            process.kill()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    with killed(made.store):
        yield made


def processes_of(store: Path) -> list[psutil.Process]:
    """The detached processes that have the store open."""
    pids = {int(path.name.partition("-")[0]) for path in Path(f"{store}.owners").glob("*")}
    found = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    return [each for each in found if any("--detached=" in word for word in each.cmdline())]


def process_of(store: Path) -> psutil.Process:
    """The one that has the run which is running."""
    (process,) = processes_of(store)
    return process


def test_a_detached_run_goes_on_without_the_terminal_and_is_waited_for(place: Place) -> None:
    told = place.detach(*place.words)
    assert told["log"] == f"{place.store}.logs/{told['runId']}.log"
    process = process_of(place.store)
    assert os.getsid(process.pid) == process.pid != os.getsid(0)
    assert {os.readlink(f"/proc/{process.pid}/fd/{number}") for number in (0, 1)} == {os.devnull}
    place.answer("a")
    place.answer("b")
    waited = on(place.store, "wait", told["runId"])
    assert (waited.status, waited.json["result"]) == (0, ["a", "b"])
    process.wait(DEADLINE)
    log = Path(told["log"])
    assert "began" in log.read_text()
    assert "\x1b" not in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert on(place.store, "rm", told["runId"]).status == 0
    assert not log.exists()


def test_a_detached_run_that_was_killed_is_resumed_detached(place: Place) -> None:
    told = place.detach(*place.words)
    place.answer("a")
    place.waits.read_text()
    process_of(place.store).kill()
    assert on(place.store, "wait", "@last").status == 137
    place.let_the_old_agent_go()
    again = place.detach("resume", "@last")
    assert again == told
    place.waits.read_text()
    place.go.write_text("b\n")
    waited = on(place.store, "wait", "@last")
    assert (waited.status, waited.json["result"]) == (0, ["a", "b"])


@pytest.mark.parametrize("command", ["resume", "fork"])
def test_a_new_run_with_the_answers_of_an_old_one_is_detached(place: Place, command: str) -> None:
    old = place.detach(*place.words)
    place.answer("a")
    place.waits.read_text()
    process_of(place.store).kill()
    assert on(place.store, "wait", "@last").status == 137
    place.let_the_old_agent_go()
    new = place.detach(command, "@last", place.words[1])
    assert new["runId"] != old["runId"]
    place.answer("b")
    waited = on(place.store, "wait", new["runId"])
    assert (waited.status, waited.json["result"]) == (0, ["a", "b"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "none.js"), "none.js: no such file"),
        (("run", "none.js", "--timeout", "-1"), "Invalid value for '--timeout'"),
        (("resume", "none"), "the store has no run 'none'"),
        (("run", "none.js", "--no-store"), "--detach needs a store"),
    ],
)
def test_what_cannot_begin_is_told_as_without_detaching(
    tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    store = tmp_path / "runs.db"
    assert flowcage("run", "-", "--store", store, stdin=b"export default 1").status == 0
    more = () if "--no-store" in words else ("--store", store)
    refused = flowcage(*words, *more, "--detach", cwd=tmp_path)
    assert (refused.status, refused.stdout) == (2, "")
    assert message in refused.stderr


def test_a_store_that_cannot_be_used_keeps_a_run_from_being_detached(tmp_path: Path) -> None:
    state = tmp_path / "flowcage"
    state.mkdir()
    (state / "runs.db").write_text("something else")
    (tmp_path / "w.js").write_text("export default 1")
    env = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    refused = flowcage("run", "--detach", tmp_path / "w.js", env=env)
    assert (refused.status, refused.stdout) == (2, "")
    assert "is no store of flowcage" in refused.stderr


def test_a_script_from_stdin_is_detached_and_a_module_of_the_folder_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise SystemExit('imported from the folder')")
    store = tmp_path / "runs.db"
    command = subprocess.run(
        [FLOWCAGE, "run", "-", "--store", store, "--detach"],
        input=b"export default 1", capture_output=True, timeout=DEADLINE, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert (command.returncode, command.stderr) == (0, b"")
    assert on(store, "wait", json.loads(command.stdout)["runId"]).json["result"] == 1


def shown_when_it_asks(store: Path, run_id: str) -> str:
    """What `show` tells once the question is in the store, which may be after ``--detach`` has returned."""
    for _ in range(1_000):  # commands, each of which takes a tenth of a second
        if "asks " in (shown := on(store, "show", run_id).stdout):
            break
    return shown


def test_a_question_of_a_detached_run_is_shown_with_how_to_answer_it(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    (tmp_path / "w.js").write_text(
        "import { ask } from 'workflow:extra'; export default await ask('Shall we\\ngo on?', {label: 'go'})"
    )
    run_id = on(store, "run", tmp_path / "w.js", "--detach").json["runId"]
    with killed(store):
        shown = shown_when_it_asks(store, run_id)
        assert f"asks      Shall we go on?; answer with: flowcage answer {run_id} 1 JSON\n" in shown
        (call,) = on(store, "show", run_id, "--json").json["calls"]
        assert (call["kind"], call["label"], call["outcome"]) == ("ask", "go", "open")
        assert call["prompt"] == "Shall we\ngo on?"
        assert flowcage("answer", run_id, "1", "true", "--store", store).status == 0
        assert on(store, "wait", run_id).json["result"] is True
        assert "asks" not in on(store, "show", run_id).stdout
