"""``flowcage run`` and ``watch`` on a terminal: the table, its end, and what a person does meanwhile."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from ..terminal.emulator import Emulator, on_terminal, terminal
from .command import DEADLINE, FLOWCAGE, flowcage
from .test_detach import process_of
from .test_on_a_terminal import STEERING, require_harmless

SOURCE = """phase('Plan');
log('began', args);
await agent('first', {label: 'the plan'});
phase('Review');
const all = await parallel([1, 2].map((n) => () => agent(`wait ${n}`, {label: `reviewer ${n} 你好`})));
const kid = await workflow('kid');
return {all, kid};"""
KID = "phase('Kid'); return await agent('of the kid')"
AGENT = """
import fcntl, sys
prompt = sys.stdin.read()
if prompt.startswith("wait"):
    fcntl.flock(open(sys.argv[1]), fcntl.LOCK_SH)
print("answer to " + prompt, end="")
"""


class Scene:
    """A workflow whose reviewers wait until they are let go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        gate = folder / "gate"
        self._gate = gate.open("w")
        fcntl.flock(self._gate, fcntl.LOCK_EX)
        (folder / "w.js").write_text(SOURCE)
        (folder / "kid.js").write_text(KID)
        (folder / "agent.py").write_text(AGENT)
        self.store = folder / "runs.db"
        agent = f"command:{sys.executable} -S {folder / 'agent.py'} {gate}"
        self.words: list[str | Path] = [
            FLOWCAGE,
            "run",
            folder / "w.js",
            "--agent",
            agent,
            "--store",
            self.store,
        ]

    def let_go(self) -> None:
        """The agents that are at work, and those that come."""
        self._gate.close()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.let_go()


def are_at_work(lines: list[str]) -> bool:
    return any("2 at work" in line for line in lines)


def behind(lines: list[str], line: str) -> list[str]:
    return lines[lines.index(line) + 1 :]


def test_a_run_is_a_table_and_ends_in_one(scene: Scene) -> None:
    with terminal() as emulator, on_terminal(emulator, *scene.words) as process:
        lines = emulator.read_until(are_at_work)
        assert lines[0] == "   began {}"
        assert re.fullmatch(r"w\.js +1/3 +\d:\d\d +running, 2 at work", lines[1])
        assert re.fullmatch(r"  Plan +1/1 +\d:\d\d", lines[2])
        assert re.fullmatch(r"  Review +0/2 +\d:\d\d +2 at work", lines[3])
        assert [line.split()[:2] for line in lines[4:6]] == [["reviewer", "1"], ["reviewer", "2"]]
        scene.let_go()
        lines = emulator.read_to_the_end()
        assert process.wait(DEADLINE) == 0
        assert emulator.shows_cursor
    text = "\n".join(lines)
    assert re.search(r"^w\.js +4/4 +\d:\d\d +done$", text, re.MULTILINE)
    assert re.search(r"^    kid\.js +1/1 +\d:\d\d$", text, re.MULTILINE)
    assert "-> workflow kid.js" in lines
    assert '  "kid": "answer to of the kid"' in text  # the result
    assert re.search(
        r"^done in \d.*: 4 agents, 0 failed\nlook closer: flowcage show @last ", text, re.MULTILINE
    )
    assert sum(line.startswith("w.js") for line in lines) == 1


def fits(frame: list[str], columns: int) -> bool:
    """Whether a whole frame is that of a terminal of this width."""
    names = [line.split()[:1] for line in frame]
    return (
        all(len(line) < columns for line in frame)
        and names == [["w.js"], ["Plan"], ["Review"], ["reviewer"], ["reviewer"]]
        and ("2 at work" in frame[0]) == (columns > 40)
    )


@pytest.mark.parametrize("columns", [40, 60, 120, 200])
def test_the_table_follows_the_width_of_the_terminal(scene: Scene, columns: int) -> None:
    with terminal() as emulator, on_terminal(emulator, *scene.words) as process:
        emulator.read_until(are_at_work)
        emulator.raw = b""
        emulator.resize(columns, 24)
        # A frame of the width before may still be on its way.
        emulator.read_until(lambda lines: b"\x1b[?7h" in emulator.raw and fits(lines[1:6], columns))
        scene.let_go()
        emulator.read_to_the_end()
        assert process.wait(DEADLINE) == 0


def test_ctrl_c_leaves_the_table_as_it_was_and_says_how_to_go_on(scene: Scene) -> None:
    with terminal() as emulator, on_terminal(emulator, *scene.words) as process:
        emulator.read_until(are_at_work)
        emulator.type("\x03")
        lines = emulator.read_to_the_end()
        assert process.wait(DEADLINE) == 130
        assert emulator.shows_cursor
    text = "\n".join(lines)
    assert re.search(r"^w\.js +1/3 +\d:\d\d +interrupted, 2 cancelled$", text, re.MULTILINE)
    assert "flowcage: resume with: flowcage resume " in text
    assert re.search(r"^interrupted in .*: 3 agents, 0 failed, 2 cancelled$", text, re.MULTILINE)
    assert lines[-1] == "flowcage: interrupted"
    assert "was cancelled" not in text  # five hundred of them would be as many lines


def test_a_run_that_is_gone_on_with_has_a_table_of_what_it_had_done(scene: Scene) -> None:
    with terminal() as emulator, on_terminal(emulator, *scene.words) as process:
        emulator.read_until(are_at_work)
        process.kill()
    resume: list[str | Path] = [FLOWCAGE, "resume", "@last", "--store", scene.store]
    with terminal() as emulator, on_terminal(emulator, *resume) as process:
        lines = emulator.read_until(are_at_work)
        assert re.fullmatch(r"w\.js +1/3 +\d:\d\d +running.*, 2 at work", lines[0])
        assert re.fullmatch(r"  Plan +1/1 +\d:\d\d", lines[1])
        scene.let_go()
        lines = emulator.read_to_the_end()
        assert process.wait(DEADLINE) == 0
    assert any(re.fullmatch(r"w\.js +4/4 +\d:\d\d +done.*", line) for line in lines)


def test_who_is_stopped_and_continued_draws_below_what_a_shell_wrote_meanwhile(scene: Scene) -> None:
    with terminal() as emulator:
        shell = os.dup(emulator.slave)
        with on_terminal(emulator, *scene.words) as process:
            emulator.read_until(are_at_work)
            process.send_signal(signal.SIGSTOP)
            os.waitpid(process.pid, os.WUNTRACED)
            os.write(shell, b"[1]+  Stopped\r\n$ fg\r\n")
            os.close(shell)
            process.send_signal(signal.SIGCONT)
            lines = emulator.read_until(lambda lines: "$ fg" in lines and are_at_work(behind(lines, "$ fg")))
            stopped = lines.index("[1]+  Stopped")
            assert are_at_work(lines[:stopped])
            assert lines[stopped + 2].startswith("w.js")
            scene.let_go()
            emulator.read_to_the_end()
            assert process.wait(DEADLINE) == 0


def test_a_terminal_that_is_stopped_holds_no_run_up(scene: Scene) -> None:
    with terminal() as emulator:
        held = os.dup(emulator.slave)
        with on_terminal(
            emulator, *scene.words, "--events", scene.folder / "events", "-o", scene.folder / "out"
        ) as process:
            emulator.read_until(are_at_work)
            termios.tcflow(held, termios.TCOOFF)  # Ctrl-S
            scene.let_go()
            assert process.wait(DEADLINE) == 0
            termios.tcflow(held, termios.TCOON)
            os.close(held)
    assert json.loads((scene.folder / "out").read_text())["verdict"] == "completed"


QUESTION = """phase('One'); log('before');
const answer = await Promise.all([SW.extra.ask('ship it?', {schema: {type: 'string'}}), agent('first')]);
log('after'); return answer;"""


def test_a_question_has_the_terminal_to_itself(scene: Scene) -> None:
    (scene.folder / "w.js").write_text(QUESTION)
    with terminal() as emulator, on_terminal(emulator, *scene.words) as process:
        asked = ["   before", "?? question 1: ship it?", "   type an answer, as text or JSON:"]
        emulator.read_until(lambda lines: lines == asked)
        emulator.type("yes of")
        emulator.read_until(lambda lines: lines == [*asked, "yes of"])
        emulator.type(" course\n")
        lines = emulator.read_to_the_end()
        assert process.wait(DEADLINE) == 0
    assert lines[:4] == [*asked, "yes of course"]
    assert any(re.fullmatch(r"w\.js +2/2 .*done|w\.js +1/1 .*done", line) for line in lines)


@pytest.mark.parametrize(("words", "env"), [(["--plain"], {}), ([], {"TERM": "dumb"}), ([], {"TERM": ""})])
def test_lines_take_the_place_of_the_table(scene: Scene, words: list[str], env: dict[str, str]) -> None:
    with terminal() as emulator, on_terminal(emulator, *scene.words, *words, env=env) as process:
        emulator.read_until(lambda lines: any("reviewer 2" in line for line in lines))
        scene.let_go()
        lines = emulator.read_to_the_end()
        assert process.wait(DEADLINE) == 0
        assert b"\x1b[?7l" not in emulator.raw
        assert (b"\x1b[" in emulator.raw) == (not env)
    assert lines[:2] == ["== Plan", "   began {}"]
    assert "== Kid  [kid.js]" in lines


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"CLICOLOR": "0"}])
def test_a_table_without_colour(scene: Scene, env: dict[str, str]) -> None:
    with terminal() as emulator, on_terminal(emulator, *scene.words, env=env) as process:
        emulator.read_until(are_at_work)
        scene.let_go()
        emulator.read_to_the_end()
        assert process.wait(DEADLINE) == 0
        assert b"\x1b[?7l" in emulator.raw
        assert not re.search(rb"\x1b\[[0-9;]*m", emulator.raw)


def test_a_small_terminal_has_a_small_table(scene: Scene) -> None:
    with terminal(rows=5) as emulator, on_terminal(emulator, *scene.words) as process:
        emulator.read_until(lambda lines: any("2 at work" in line for line in lines))
        assert len(emulator.lines) <= 5
        scene.let_go()
        lines = emulator.read_to_the_end()
        assert process.wait(DEADLINE) == 0
    assert sum(line.startswith("w.js") for line in lines) == 1
    assert sum(line.startswith("  Plan") for line in lines) == 1


# All that the table itself writes, with colours.
OWN = re.compile("\x1b\\[(?:\\?(?:2026|25|7)[hl]|[0-9;]*m|[0-9]+[AG]|2K|J)|\r")


def test_texts_of_a_script_steer_no_table(scene: Scene) -> None:
    source = STEERING.replace(
        "await agent(", "await agent('wait', {label: '\x1b[2Jlabel\u202e'}); await agent("
    )
    (scene.folder / "w.js").write_text(source)
    with terminal() as emulator, on_terminal(emulator, *scene.words) as process:
        emulator.read_until(lambda lines: any("[2Jlabel" in line for line in lines))
        scene.let_go()
        emulator.read_to_the_end()
        assert process.wait(DEADLINE) == 0
    require_harmless(OWN.sub("", emulator.raw.decode()))


# ---- watch -----------------------------------------------------------------------------------


def detached(scene: Scene) -> str:
    run_id: str = flowcage(*scene.words[1:], "--detach").json["runId"]
    return run_id


def watching(
    emulator: Emulator, scene: Scene, *words: str
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    return on_terminal(emulator, FLOWCAGE, "watch", "@last", "--store", scene.store, *words)


def test_a_run_of_another_process_is_watched_until_it_ends(scene: Scene) -> None:
    detached(scene)
    with terminal() as emulator, watching(emulator, scene) as process:
        lines = emulator.read_until(are_at_work)
        assert lines[0] == "   began {}"
        scene.let_go()
        lines = emulator.read_to_the_end()
        assert process.wait(DEADLINE) == 0
    assert any(re.fullmatch(r"w\.js +4/4 +\d:\d\d +done", line) for line in lines)
    assert '    "kid": "answer to of the kid"' in lines
    assert any(re.fullmatch(r"done in \d.*: 4 agents, 0 failed", line) for line in lines)


def test_ctrl_c_ends_the_watching_and_not_the_run(scene: Scene) -> None:
    run_id = detached(scene)
    with terminal() as emulator, watching(emulator, scene) as process:
        emulator.read_until(are_at_work)
        emulator.type("\x03")
        lines = emulator.read_to_the_end()
        assert process.wait(DEADLINE) == 130
    assert "flowcage: note: the run goes on; flowcage watch @last follows it again" in lines
    assert any(re.fullmatch(r"w\.js +1/3 +\d:\d\d +running, 2 at work", line) for line in lines)
    scene.let_go()
    assert flowcage("wait", run_id, "--store", scene.store).json["verdict"] == "completed"


def test_who_watches_a_run_whose_process_is_killed_is_told_so(scene: Scene) -> None:
    with subprocess.Popen([*scene.words, "--quiet"]) as run, terminal(columns=200) as emulator:
        while not flowcage("ls", "--json", "--store", scene.store).stdout.strip().startswith("[{"):
            assert run.poll() is None
        with watching(emulator, scene) as process:
            emulator.read_until(are_at_work)
            run.kill()
            lines = emulator.read_to_the_end()
            assert process.wait(DEADLINE) == 137
    text = "\n".join(lines)
    assert re.search(r"^w\.js +1/3 +\d:\d\d +interrupted, 2 at work$", text, re.MULTILINE)
    assert "was interrupted; go on with: flowcage resume" in text


def test_a_run_that_is_over_is_shown_as_it_ended(scene: Scene) -> None:
    (scene.folder / "w.js").write_text("phase('One'); await agent('first'); throw new Error('boom')")
    assert flowcage(*scene.words[1:], "--quiet").status == 1
    with terminal() as emulator, watching(emulator, scene) as process:
        lines = emulator.read_to_the_end()
        assert process.wait(DEADLINE) == 1
    assert any(re.fullmatch(r"w\.js +1/1 +\d:\d\d +failed", line) for line in lines)
    assert any(line.startswith("flowcage: failed: w.js:1:") and line.endswith("boom") for line in lines)
    piped = flowcage("watch", "@last", "--store", scene.store)
    assert piped.status == 1
    assert piped.json["error"]["kind"] == "exception"
    assert piped.stderr.splitlines()[:3] == ["== One", "-> agent 1 first", *piped.stderr.splitlines()[2:3]]
    assert re.fullmatch(r"failed in \d.*: 1 agent, 0 failed", piped.stderr.splitlines()[-1])


def test_a_run_that_is_asleep_is_watched_until_it_is_woken(scene: Scene) -> None:
    (scene.folder / "w.js").write_text("const a = await SW.extra.ask('go on?'); return a")
    run_id = detached(scene)
    with terminal(columns=100) as emulator, watching(emulator, scene) as process:
        emulator.read_until(lambda lines: any("asleep until it is answered" in line for line in lines))
        assert flowcage("answer", run_id, '"yes"', "--store", scene.store).status == 0
        lines = emulator.read_to_the_end()
        assert process.wait(DEADLINE) == 0
    assert "  yes" in lines


def test_a_run_that_is_not_there_is_a_usage_error(scene: Scene) -> None:
    assert flowcage(*scene.words[1:3], "--agent", "mock", "--store", scene.store, "--no-prompt").status == 0
    finished = flowcage("watch", "nope", "--store", scene.store)
    assert (finished.status, finished.stdout) == (2, "")


def test_a_detached_run_draws_nothing_and_its_log_has_lines(scene: Scene) -> None:
    with terminal() as emulator, on_terminal(emulator, *scene.words, "--detach") as process:
        told = json.loads("".join(emulator.read_to_the_end()))
        assert process.wait(DEADLINE) == 0
        assert b"\x1b[?7l" not in emulator.raw
    detached_process = process_of(scene.store)
    scene.let_go()
    assert flowcage("wait", told["runId"], "--store", scene.store).status == 0
    detached_process.wait(DEADLINE)  # it says its last line after the run has ended
    log = Path(told["log"]).read_text()
    assert "-> agent 1 the plan\n" in log
    assert re.search(r"^done in .*: 4 agents, 0 failed$", log, re.MULTILINE)
