"""``flowcage submit`` and ``flowcage worker``, each in processes of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from .command import DEADLINE, FLOWCAGE, flowcage

ASKS = "export default [await agent('hello'), args]"
# Answers with what it is asked; "wait" only when there is a file of this name in its folder.
AGENT = """
import os, sys, time
asked = sys.stdin.read().strip()
with open("asked", "a") as file:
    file.write(asked + "\\n")
while asked == "wait" and not os.path.exists("go"):
    time.sleep(0.01)
print(f"<{asked}>")
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "agent.py").write_text(AGENT)
    (tmp_path / "asks.js").write_text(ASKS)
    (tmp_path / "waits.js").write_text("export default [await agent('first'), await agent('wait')]")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "typo.json").write_text('{"default": {"maxRun": 1}}')
    (tmp_path / "zero.json").write_text('{"tenants": {"a": {"maxRuns": 0}}}')
    (tmp_path / "runs.json").write_text('{"default": {"limits": {"cpu": 1}}}')
    (tmp_path / "text.json").write_text('{"default": {"weight": "2"}}')
    return tmp_path / "runs.db"


class Started:
    """A worker, and what it says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[str] = []

    def says(self, words: str) -> str:
        """Wait for a line with these words."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            if words in line:
                return line
        raise AssertionError(f"it ended before it said {words!r}: {self.said}")

    def ends(self) -> int:
        return self.process.wait(DEADLINE)


@contextmanager
def worker(store: Path, *words: str, **more: Any) -> Iterator[Started]:
    """A worker that has begun to take runs, whose agent is the one of the test's folder."""
    agent = f"command:{sys.executable} -S agent.py"
    process = subprocess.Popen(
        [FLOWCAGE, "worker", "--store", store, "--agent", agent, "--slots=2", *words],
        cwd=store.parent, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, **more,
    )  # fmt: skip
    started = Started(process)
    try:
        started.says("takes runs of")
        yield started
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def submitted(store: Path, file: str, *words: str) -> str:
    """The id of a run that was put into the queue."""
    done = flowcage("submit", store.parent / file, "--store", store, *words)
    assert (done.status, done.stderr) == (0, "")
    return done.stdout.strip()


def asked(store: Path) -> list[str]:
    file = store.parent / "asked"
    return file.read_text().split() if file.exists() else []


def until_asked(store: Path, words: str) -> None:
    """Wait until the agent is asked this: it is what the worker does next."""
    end = time.monotonic() + DEADLINE
    while words not in asked(store):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_what_is_submitted_is_carried_out_by_a_worker(store: Path) -> None:
    run = submitted(store, "asks.js", "--arg", "a=b")
    assert flowcage("ls", "--store", store, "--json").json[0]["state"] == "queued"
    with worker(store):
        done = flowcage("wait", run, "--store", store)
        assert (done.status, done.json["result"]) == (0, ["<hello>", {"a": "b"}])


def test_submit_waits_and_ends_as_the_run_does(store: Path) -> None:
    (store.parent / "fails.js").write_text("throw new Error('no')")
    with worker(store):
        done = flowcage("submit", store.parent / "asks.js", "--store", store, "--wait")
        assert (done.status, done.json["result"]) == (0, ["<hello>", {}])
        done = flowcage("submit", store.parent / "fails.js", "--store", store, "--wait")
        assert (done.status, done.json["error"]["message"]) == (1, "workflow module evaluation rejected: no")


def test_who_no_longer_waits_knows_which_run_goes_on(store: Path) -> None:
    words: list[str | Path] = [FLOWCAGE, "submit", store.parent / "asks.js", "--store", store, "--wait"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        told = process.stderr.readline().split()
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 130
    with worker(store):
        done = flowcage("wait", told[told.index("run") + 1], "--store", store)
    assert (done.status, done.json["result"]) == (0, ["<hello>", {}])


def test_only_a_command_that_looks_for_an_agent_says_so_in_its_help() -> None:
    for command, looks in (("run", True), ("worker", False), ("host", False)):
        told = " ".join(flowcage(command, "--help").stdout.split())
        assert ("claude and codex on the PATH" in told) is looks


def test_the_same_key_is_the_same_run(store: Path) -> None:
    run = submitted(store, "asks.js", "--key", "k")
    again = flowcage("submit", store.parent / "asks.js", "--store", store, "--key", "k", "--json")
    assert again.json == {"runId": run, "isNew": False}
    assert "has led to this run before" in again.stderr
    other = flowcage("submit", store.parent / "waits.js", "--store", store, "--key", "k")
    assert other.status == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_told_to_end_lets_what_is_at_work_end_and_takes_nothing_more(
    store: Path, number: signal.Signals
) -> None:
    with worker(store) as started:
        run = submitted(store, "waits.js")
        until_asked(store, "wait")
        started.process.send_signal(number)
        started.says("nothing more is taken")
        later = submitted(store, "asks.js")
        (store.parent / "go").touch()
        started.says("nothing is left")
        assert started.ends() == 0
    assert flowcage("result", run, "--store", store).json == ["<first>", "<wait>"]
    assert flowcage("show", later, "--store", store, "--json").json["state"] == "queued"


def test_a_second_signal_hands_over_what_is_at_work(store: Path) -> None:
    with worker(store) as started:
        run = submitted(store, "waits.js")
        until_asked(store, "wait")
        started.process.send_signal(signal.SIGTERM)
        started.says("nothing more is taken")
        started.process.send_signal(signal.SIGTERM)
        started.says("nothing is left")
        assert started.ends() == 0
    (store.parent / "go").touch()
    with worker(store):
        done = flowcage("wait", run, "--store", store)
    assert done.json["result"] == ["<first>", "<wait>"]
    assert asked(store) == ["first", "wait", "wait"]  # what was answered is not asked again


def test_the_runs_of_a_worker_that_is_killed_are_taken_over(store: Path) -> None:
    with worker(store) as first, worker(store) as second:
        run = submitted(store, "waits.js")
        until_asked(store, "wait")
        stopped = [first, second]
        for each in stopped:  # whichever has it
            os.kill(each.process.pid, signal.SIGSTOP)
        has_it = first if _has(first) else second
        has_it.process.kill()
        has_it.ends()
        for each in stopped:
            if each is not has_it:
                os.kill(each.process.pid, signal.SIGCONT)
        (store.parent / "go").touch()
        assert flowcage("wait", run, "--store", store).json["result"] == ["<first>", "<wait>"]
    assert asked(store).count("first") == 1


def _has(started: Started) -> bool:
    """Whether a worker has the run, whose agent is at work below it."""
    children = psutil.Process(started.process.pid).children(recursive=True)
    return any("agent.py" in " ".join(each.cmdline()) for each in children)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["submit", "asks.js", "--at", "soon"], "'soon' is no time"),
        (["submit", "asks.js", "--priority", "9999999"], "priority must be a whole number from"),
        (["submit", "asks.js", "--pool", "a\nb"], "pool must have at most 100 printable characters"),
        (["submit", "asks.js", "--soft-budget"], "--soft-budget needs --budget TOKENS"),
        (["submit", "none.js"], "none.js"),
        (["worker", "--agent", "nobody"], "nobody"),
        (["worker", "--agent", "mock", "--pool", "a\nb"], "pools must have at most 100 printable"),
        (["worker", "--agent", "mock", "--tenants", "no.json"], "no.json"),
        (["worker", "--agent", "mock", "--tenants", "list.json"], "expected a JSON object such as"),
        (["worker", "--agent", "mock", "--tenants", "typo.json"], "default: there is no limit 'maxRun'"),
        (["worker", "--agent", "mock", "--tenants", "zero.json"], "tenants['a']: maxRuns must be a whole"),
        (["worker", "--agent", "mock", "--tenants", "text.json"], "default: weight must be a number, not"),
        (["worker", "--agent", "mock", "--tenants", "runs.json"], "default.limits: there is no limit 'cpu'"),
        (["submit", "asks.js", "--tenant", ""], "a tenant's name has 1 to 256 characters, not 0"),
        (["submit", "asks.js", "--tenant", "x" * 257], "a tenant's name has 1 to 256 characters"),
        (["submit", "asks.js", "--key", ""], "key must have 1 to 500 characters"),
        (["schedule", "add", "n", "* * * * *", "asks.js", "--tenant", ""], "a tenant's name has 1 to"),
        (["host", "--queue", "--tenant", ""], "a tenant's name has 1 to 256 characters"),
        (["mcp", "--queue", "--tenant", "x" * 257], "a tenant's name has 1 to 256 characters"),
        (["worker", "--agent", "mock", "--limit", "cpu=1"], "there is no limit 'cpu'"),
        (["worker", "--agent", "mock", "--limit", "retries=-1"], "retries must be a whole number from 0"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(store: Path, words: list[str], why: str) -> None:
    done = flowcage(*words, "--store", store, cwd=store.parent)
    assert done.status == 2
    assert why in done.stderr
    assert not store.exists() or words[0] == "worker"


def test_a_worker_says_at_once_that_it_can_begin_nothing_for_a_schedule(store: Path) -> None:
    added = flowcage("schedule", "add", "yearly", "0 0 1 1 *", store.parent / "asks.js", "--store", store)
    assert added.status == 0
    (store.parent / "without").mkdir()
    (store.parent / "without" / "cronsim.py").write_text("raise ImportError('it is not installed')")
    path = {**os.environ, "PYTHONPATH": str(store.parent / "without")}
    with worker(store, env=path) as started:
        line = started.says("begins nothing")
    assert line.startswith("flowcage: warning: schedule yearly begins nothing: schedules need a package")
    assert "pip install 'flowcage[workers]'" in line


def test_a_worker_holds_each_run_to_its_own_limits_and_those_of_the_tenant(store: Path) -> None:
    (store.parent / "twice.js").write_text(
        "export default await Promise.all([1, 2, 3].map(n => agent(`a${n}`).catch(() => 0)))"
    )
    tenants = {"default": {"limits": {"maxTotalAgents": 1}}, "tenants": {"big": {"maxRuns": 9}}}
    (store.parent / "tenants.json").write_text(json.dumps(tenants))
    asks_for_more = ("--max-total-agents", "9", "--agent-failure", "throw")
    runs = [submitted(store, "twice.js", "--tenant", name, *asks_for_more) for name in ("small", "big")]
    with worker(store, "--limit", "maxTotalAgents=2", "--tenants", "tenants.json"):
        results = [flowcage("wait", run, "--store", store).json["result"] for run in runs]
    assert results == [["<a1>", 0, 0], ["<a1>", "<a2>", 0]]


def test_a_worker_whose_metrics_have_no_place_takes_nothing_and_says_so(store: Path) -> None:
    run = submitted(store, "asks.js")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = flowcage("worker", "--agent", "mock", "--metrics-addr", port, "--store", store)
    assert (done.status, len(done.stderr.splitlines())) == (2, 1)
    assert f"--metrics-addr {port}: nothing can be served there" in done.stderr
    assert flowcage("show", run, "--store", store, "--json").json["state"] == "queued"


def test_a_worker_for_which_nobody_is_chosen_does_not_begin(store: Path, tmp_path: Path) -> None:
    empty = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = flowcage("worker", "--store", store, cwd=tmp_path, env=empty)
    assert done.status == 2
    assert "give --agent NAME" in done.stderr


def test_schedules_are_added_listed_and_removed(store: Path) -> None:
    add = ("schedule", "add", "night", "0 3 * * *", store.parent / "asks.js", "--store", store)
    done = flowcage(*add, "--tenant", "acme", "--json")
    assert (done.status, done.json["name"], done.json["tenant"]) == (0, "night", "acme")
    listed = flowcage("schedule", "list", "--store", store, "--json").json["schedules"]
    assert listed == [done.json]
    assert "night: 0 3 * * * (tenant acme), next " in flowcage("schedule", "list", "--store", store).stdout
    assert flowcage("schedule", "remove", "night", "--store", store).status == 0
    gone = flowcage("schedule", "remove", "night", "--store", store)
    assert (gone.status, "there is no schedule 'night'" in gone.stderr) == (1, True)
    wrong = flowcage("schedule", "add", "x", "at noon", store.parent / "asks.js", "--store", store)
    assert (wrong.status, "'at noon' is no schedule" in wrong.stderr) == (2, True)
