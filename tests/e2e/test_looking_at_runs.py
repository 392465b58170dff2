"""``flowcage ls``, ``show``, ``logs``, ``result`` and ``wait``."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowcage.host.cli.runs.looking.listing import STATES
from flowcage.host.durable import records
from flowcage.host.durable.sqlite.store import SqliteStore

from ..durable.places import begun
from . import kept
from .command import DEADLINE, FLOWCAGE, Finished, flowcage
from .kept import on

HOSTILE = "red \x1b[31m\u202etext\nRUN  forged"
SOURCE = f"""phase('One');
log('began', {{a: 1}});
const all = await parallel([() => agent('first', {{label: {json.dumps(HOSTILE)}}}), () => agent('fail'),
  () => agent('number', {{schema: {{type: 'number'}}}})]);
phase('Two');
const kid = await workflow('kid');
await agent('wait');
return all;"""
KID = "phase('Kid'); return await agent('of the kid', {phase: 'Own'})"
AGENT = """#!{python} -S
import sys, os
prompt = sys.stdin.read()
if prompt.startswith("fail"):
    sys.exit(3)
if prompt.startswith("wait"):
    print("waits", file=open({pipe!r}, "w"), flush=True)
    open({pipe!r} + ".go").read()
print("answer to " + prompt)
"""


class Run:
    """A workflow whose last agent waits until it is let go."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "runs.db"
        self.pipe = folder / "pipe"
        self._go = folder / "pipe.go"
        self._folder = folder
        for pipe in (self.pipe, self._go):
            os.mkfifo(pipe)
        (folder / "w.js").write_text(SOURCE)
        (folder / "kid.js").write_text(KID)
        agent = folder / "agent"
        agent.write_text(AGENT.format(python=sys.executable, pipe=str(self.pipe)))
        agent.chmod(0o700)
        self.words: list[str | Path] = [
            FLOWCAGE,
            "run",
            folder / "w.js",
            "--agent",
            f"command:{agent}",
            "--quiet",
        ]
        self.process = self.start(self.words)

    def start(self, words: list[str | Path]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([*words, "--store", self.store], stdout=subprocess.PIPE)
        assert self.pipe.read_text() == "waits\n"  # until the last agent is at work
        return process

    def let_go(self) -> None:
        self._go.write_text("")

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=DEADLINE)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = Run(tmp_path)
    yield made
    made.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


# ---- ls --------------------------------------------------------------------------------------


def test_the_states_of_the_option_are_those_of_the_store() -> None:
    assert set(STATES) == {*records.STATES, "interrupted"}


def test_a_run_whose_process_was_killed_is_interrupted_and_not_running(run: Run) -> None:
    live = on(run.store, "ls")
    assert live.stdout.splitlines()[1].split()[3:] == ["running", "w.js"]
    assert live.stderr == ""
    run.kill()
    dead = on(run.store, "ls")
    run_id, *_, state, name = dead.stdout.splitlines()[1].split()
    assert (state, name) == ("interrupted", "w.js")
    assert dead.stderr == f"flowcage: 1 run was interrupted; go on with: flowcage resume {run_id}\n"


def test_runs_are_listed_by_state_verdict_time_and_number(path: Path) -> None:
    kept.make(path, "old", clock_at=1_000_000)
    kept.make(path, "done-a", "gone", "done-b")

    async def work(store: SqliteStore) -> None:
        await begun(store, "asleep", tenant="t")
        await store.sleep("asleep", 1, 2**50)

    kept.with_store(path, work)

    def listed(*words: str) -> list[str]:
        return sorted(each["runId"] for each in on(path, "ls", "--json", *words).json)

    assert listed() == ["asleep", "done-a", "done-b", "gone", "old"]
    assert listed("--state", "interrupted") == ["gone", "old"]
    assert listed("--state", "running") == []
    assert listed("--state", "asleep", "--state", "ended") == ["asleep", "done-a", "done-b"]
    assert listed("--state", "running", "--state", "interrupted") == ["gone", "old"]
    assert listed("--verdict", "failed", "--verdict", "completed") == ["done-a", "done-b"]
    assert (
        listed("--since", "2h") == listed("--since", "2020-01-01") == ["asleep", "done-a", "done-b", "gone"]
    )
    assert listed("--limit", "1") == ["asleep"]
    assert listed("--state", "ended", "--limit", "1") == ["done-b"]
    (asleep,) = on(path, "ls", "--json", "--state", "asleep").json
    assert (asleep["tenant"], asleep["wakeAt"], asleep["verdict"]) == ("t", 2**50, None)


def test_no_store_is_an_empty_list_and_a_note(path: Path) -> None:
    for words, stdout in (((), ""), (("--json",), "[]\n")):
        listed = on(path, "ls", *words)
        assert (listed.status, listed.stdout) == (0, stdout)
        assert listed.stderr == f"flowcage: there is no store {path}\n"
    assert not path.exists()


def test_columns_stand_below_each_other(path: Path) -> None:
    async def work(store: SqliteStore) -> None:
        for run_id, tenant in (("a", "t"), ("a-long-one", "日本")):
            await begun(store, run_id, tenant=tenant)
            await store.end(run_id, 1, kept.DONE)

    kept.with_store(path, work)
    head, long, short = on(path, "ls").stdout.splitlines()
    assert head.split() == ["RUN", "BEGUN", "STATE", "TENANT", "WORKFLOW"]
    assert head.index("STATE") == long.index("completed") == short.index("completed")
    assert long.index("w.js") + 2 == short.index("w.js") == head.index("WORKFLOW")


# ---- show ------------------------------------------------------------------------------------


def test_a_run_is_shown_as_a_tree_by_phase(run: Run) -> None:
    shown = on(run.store, "show", "@last")
    text = shown.stdout
    assert (shown.status, shown.stderr) == (0, "")
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert not any(line.startswith("RUN") for line in text.splitlines())
    order = [
        *("\nstate     running", "\nOne  3 calls", "\n  1 ", "red \ufffd[31m\ufffdtext RUN forged", "\n  2 "),
        *(
            "\n  3 ",
            "\nTwo  1 call, 1 other request",
            "\n  5 ",
            "workflow kid",
            "\n    kid.js",
            "Own  1 call",
        ),
        "4/1",
    ]
    assert [text.index(each) for each in order] == sorted(text.index(each) for each in order)
    states = [call["outcome"] for call in on(run.store, "show", "@last", "--json").json["calls"]]
    assert states == ["answered", "failed", "failed", "answered", "answered", "open"]


def test_one_call_is_shown_with_its_attempts_and_refused_answers(run: Run) -> None:
    told = on(run.store, "show", "@last", "--agent", "3").stdout
    # The program answers with its prompt, and the second one has the first answer in it.
    assert len(re.findall(r"\n  refused: it is not JSON.*\n    answer to number\n", told)) == 2
    assert "the agent gave no valid answer in 2 tries" in told
    (attempt,) = on(run.store, "show", "@last", "--agent", "#3", "--json").json["attempts"]
    assert [each["text"][:17] for each in attempt["refused"]] == ["answer to number\n"] * 2
    of_kid = on(run.store, "show", "@last", "--agent", "4/1", "--json").json
    assert (of_kid["prompt"], of_kid["answer"], of_kid["phase"]) == (
        "of the kid",
        "answer to of the kid",
        "Own",
    )
    unknown = on(run.store, "show", "@last", "--agent", "77")
    assert (unknown.status, unknown.stdout) == (2, "")
    assert "has no call '77'" in unknown.stderr


def test_a_terminal_without_unicode_gets_escapes(run: Run) -> None:
    env = {**os.environ, "PYTHONIOENCODING": "latin-1", "LC_ALL": "C"}
    shown = flowcage("show", "@last", "--store", run.store, env=env)
    assert shown.status == 0
    assert "red \\ufffd[31m\\ufffdtext" in shown.stdout


@pytest.mark.parametrize("words", [("ls",), ("show", "@last"), ("logs", "@last"), ("ls", "--json")])
def test_a_pipe_that_is_closed_early_ends_a_command_without_a_word(
    path: Path, words: tuple[str, ...]
) -> None:
    kept.make(path, "done")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [FLOWCAGE, *words, "--store", path],
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=DEADLINE,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


# ---- logs and wait ---------------------------------------------------------------------------


def lines_of(finished: Finished) -> list[str]:
    return [line[25:] for line in finished.stdout.splitlines()]


def test_logs_tell_what_has_happened(run: Run) -> None:
    logs = on(run.store, "logs", "@last")
    told = lines_of(logs)
    assert "\x1b" not in logs.stdout
    assert told[0].endswith("of w.js began")
    for line in ("== One", '   began {"a":1}', "-> agent 2 fail", "-> workflow kid.js", "== Kid  [kid.js]"):
        assert line in told
    assert told[-1] == "-> agent 5 wait"
    events = [json.loads(line) for line in on(run.store, "logs", "@last", "--json").stdout.splitlines()]
    assert [each["type"] for each in events][:3] == ["started", "phase", "log"]
    assert len(events) > len(told)


def follow(run: Run, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [FLOWCAGE, *words, "--store", run.store], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_run_of_another_process_is_followed_and_waited_for_until_it_ends(run: Run) -> None:
    with follow(run, "logs", "-f", "@last") as logs, follow(run, "wait", "@last") as wait:
        assert logs.stdout is not None
        assert any("-> agent 5 wait" in line for line in logs.stdout)
        run.let_go()
        out, err = logs.communicate(timeout=DEADLINE)
        waited, _ = wait.communicate(timeout=DEADLINE)
    assert out.splitlines()[-1][25:] == "the run ended: completed"
    assert "<- agent 5 answered" in out
    assert (logs.returncode, err) == (0, "")
    assert wait.returncode == 0
    assert json.loads(waited)["result"][0] == "answer to first"
    assert on(run.store, "result", "@last").json == json.loads(waited)["result"]


def test_who_follows_a_run_whose_process_is_killed_is_told_so(run: Run) -> None:
    with follow(run, "logs", "-f", "@last") as logs, follow(run, "wait", "@last") as wait:
        assert logs.stdout is not None
        assert any("-> agent 5 wait" in line for line in logs.stdout)
        run.kill()
        _, err = logs.communicate(timeout=DEADLINE)
        waited, _ = wait.communicate(timeout=DEADLINE)
    assert "was interrupted; go on with: flowcage resume" in err
    assert wait.returncode == 137
    assert json.loads(waited)["state"] == "interrupted"


def test_ctrl_c_ends_following_and_not_the_run(run: Run) -> None:
    with follow(run, "logs", "-f", "@last") as logs:
        assert logs.stdout is not None
        assert any("-> agent 5 wait" in line for line in logs.stdout)
        logs.send_signal(signal.SIGINT)
        _, err = logs.communicate(timeout=DEADLINE)
    assert (logs.returncode, err) == (130, "flowcage: interrupted\n")
    assert on(run.store, "ls", "--json").json[0]["state"] == "running"


def test_a_run_of_another_process_is_cancelled_and_resumed_by_request_only(run: Run) -> None:
    cancelled = on(run.store, "cancel", "@last", "--wait", "--reason", "too dear")
    assert (cancelled.status, cancelled.stdout.partition(" has ")[2]) == (0, "ended: cancelled\n")
    out, _ = run.process.communicate(timeout=DEADLINE)
    assert json.loads(out)["error"]["message"] == "the run was cancelled: too dear"
    assert on(run.store, "ls").stdout.splitlines()[1].split()[3] == "cancelled"
    refused = on(run.store, "resume", "@last", "--quiet")
    assert (refused.status, refused.stdout) == (2, "")
    with subprocess.Popen(
        [FLOWCAGE, "resume", "@last", "--even-if-cancelled", "--quiet", "--store", run.store],
        stdout=subprocess.PIPE,
    ) as resumed:
        run.pipe.read_text()
        run.let_go()
        out, _ = resumed.communicate(timeout=DEADLINE)
    assert json.loads(out)["verdict"] == "completed"


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        ("completed", 0),
        ("failed", 1),
        ("wall_timeout", 124),
        ("cancelled", 130),
        ("host_fault", 125),
        ("later", 125),
    ],
)
def test_waiting_has_the_exit_status_of_the_run(path: Path, verdict: str, status: int) -> None:
    async def work(store: SqliteStore) -> None:
        await begun(store, "run")
        await store.end("run", 1, kept.DONE._replace(verdict=verdict))

    kept.with_store(path, work)
    assert on(path, "wait", "run").status == status


def test_a_damaged_history_is_told_by_the_entry(path: Path) -> None:
    kept.make(path, "run", inputs=True)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE entries SET data = x'00' WHERE seq = 2")
    db.close()
    for words in (("show", "run"), ("logs", "run"), ("resume", "run"), ("result", "run")):
        refused = on(path, *words)
        assert (refused.status, refused.stdout) == (2, ""), words
        assert "run run, entry 2: " in refused.stderr


def test_a_store_of_a_later_version_is_refused_with_what_to_do(path: Path) -> None:
    kept.make(path, "done")
    with sqlite3.connect(path) as db:
        db.execute("UPDATE flowcage_schema SET version = 99, oldest_reader = 99")
    db.close()
    for words in (
        ("ls",),
        ("show", "@last"),
        ("logs", "-f", "@last"),
        ("cancel", "@last"),
        ("wait", "@last"),
    ):
        refused = on(path, *words)
        assert (refused.status, refused.stdout) == (2, ""), words
        assert "was written by a later flowcage" in refused.stderr


def test_what_has_ended_is_followed_and_waited_for_without_writing(path: Path) -> None:
    kept.make(path, "done", "gone")
    before = sorted(path.parent.rglob("*"))
    assert on(path, "logs", "-f", "done").stdout.endswith("the run ended: completed\n")
    assert on(path, "wait", "done").status == 0
    assert on(path, "wait", "gone").status == 137
    with sqlite3.connect(path) as db:
        assert len(db.execute("SELECT owner FROM owners").fetchall()) == 1
    db.close()
    assert sorted(path.parent.rglob("*")) == before
