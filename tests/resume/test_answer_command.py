"""``flowcage answer``, and the prompt of ``flowcage run`` and ``flowcage resume`` on a real terminal."""

from __future__ import annotations

import json
import os
import pty
import random
import signal
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ..e2e.command import FLOWCAGE

DEADLINE_S = 300
SOURCE = """import { ask } from 'workflow:extra';
export default async () => [
  await ask('ship \\u001b[31mit?\\nflowcage: done', {
    options: ['yes', { label: 'no, wait', value: { wait: 3 } }], label: 'rel\\u0007ease' }),
  await ask('how many?', { schema: { type: 'integer', minimum: 1 } }),
  await ask('which name?', { schema: { type: 'string' } }).catch((error) => error.message),
];"""


class Folder:
    """A workflow and a store."""

    def __init__(self, folder: Path, source: str = SOURCE) -> None:
        self.folder = folder
        (folder / "w.js").write_text(source)

    def words(self, *words: str) -> list[str]:
        return [str(FLOWCAGE), *words, "--store", str(self.folder / "runs.db")]

    def __call__(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.words(*words),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
            cwd=self.folder,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    @contextmanager
    def running(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        pipe = subprocess.PIPE
        with subprocess.Popen(
            self.words(*words), stdout=pipe, stderr=pipe, text=True, cwd=self.folder
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def refused(self, *words: str, stdin: str = "") -> str:
        """What is said to a command that can do nothing."""
        done = self("answer", "@last", *words, stdin=stdin)
        assert (done.returncode, done.stdout) == (2, "")
        return done.stderr

    def given(self, *words: str, stdin: str = "") -> object:
        done = self("answer", "@last", *words, stdin=stdin)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        del told["runId"]
        return told


def until(process: subprocess.Popen[str], text: str) -> None:
    assert process.stderr is not None
    assert any(text in line for line in process.stderr)


def until_asked(folder: Folder, process: subprocess.Popen[str], request: str) -> None:
    """Wait until a question is told, and is kept: the one comes before the other."""
    until(process, f"question {request}")
    while f" {request} JSON" not in (shown := folder("show", "@last").stdout):
        assert process.poll() is None, shown


def test_a_run_is_answered_by_the_command(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with folder.running("run", "w.js") as process:
        until_asked(folder, process, "1")
        assert "it is none of the options" in folder.refused('"maybe"')
        assert 'it is none of the options: "yes", "no, wait"' in folder.refused("maybe")
        assert "has no request '7'" in folder.refused("7", "yes")
        assert "give RUN and an answer" in folder.refused()
        assert "give RUN and REQUEST" in folder.refused("1", "2", "--reject", "x")
        assert "cannot be read: No such file" in folder.refused(f"@{tmp_path}/nothing")
        assert "for a text that begins with @ write @@ada" in folder.refused("@ada")
        assert "it is none of the options" in folder.refused("@@ada")
        assert folder.given("no, wait") == {"request": "1", "answer": {"wait": 3}}
        until_asked(folder, process, "2")
        assert "question 1 is answered already; the first answer counts" in folder.refused("1", "yes")
        assert "0 is less than the minimum" in folder.refused("2", "0")
        (tmp_path / "five").write_text("5\n")
        assert folder.given(f"@{tmp_path}/five") == {"request": "2", "answer": 5}
        until_asked(folder, process, "3")
        assert folder.given("3", "-", stdin="Ada\n") == {"request": "3", "answer": "Ada"}
        out, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, err
    assert json.loads(out)["result"] == [{"wait": 3}, 5, "Ada"]
    assert "has ended: completed" in folder.refused("3", "x")
    assert "asks nothing" not in folder.refused("1")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_not_at_work_keeps_its_answer(tmp_path: Path, number: signal.Signals) -> None:
    folder = Folder(tmp_path)
    with folder.running("run", "w.js") as process:
        until_asked(folder, process, "1")
        process.send_signal(number)
        process.wait(DEADLINE_S)
    assert folder.given("yes") == {"request": "1", "answer": "yes"}
    assert "takes the answer in when it goes on" in folder.refused("1", "yes")
    assert "asks nothing at the moment" in folder.refused("yes")
    with folder.running("resume", "@last") as process:
        until_asked(folder, process, "2")
        folder.given("2", "2")
        until_asked(folder, process, "3")
        folder.given("--reject", "nobody knows")
        out, _ = process.communicate(timeout=DEADLINE_S)
    assert json.loads(out)["result"] == ["yes", 2, "nobody knows"]


def test_of_many_that_answer_at_once_one_is_the_first(tmp_path: Path) -> None:
    folder = Folder(
        tmp_path, "import { ask } from 'workflow:extra'; export default () => ask('who is first?');"
    )
    with folder.running("run", "w.js") as process:
        until_asked(folder, process, "1")
        rivals = [
            subprocess.Popen(
                folder.words("answer", "@last", "1", str(number)),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for number in range(4)
        ]
        said = [rival.communicate(timeout=DEADLINE_S) for rival in rivals]
        out, _ = process.communicate(timeout=DEADLINE_S)
    first = [json.loads(out)["answer"] for out, _ in said if out]
    assert [rival.returncode for rival in rivals].count(0) == 1
    assert json.loads(out)["result"] == first[0]
    late = [err for out, err in said if not out]
    assert all("answered already" in err or "has ended: completed" in err for err in late), late


def test_a_large_answer_arrives_and_one_that_is_too_large_is_refused(tmp_path: Path) -> None:
    folder = Folder(
        tmp_path,
        "import { ask } from 'workflow:extra'; export default async () => (await ask('text?')).length;",
    )
    (tmp_path / "large").write_text(json.dumps("x" * 5_000_000))
    (tmp_path / "larger").write_text(json.dumps("x" * 10_000_000))
    with folder.running("run", "w.js") as process:
        until_asked(folder, process, "1")
        assert "more than maxMessageBytes" in folder.refused(f"@{tmp_path}/larger")
        assert folder("answer", "@last", f"@{tmp_path}/large").returncode == 0
        out, _ = process.communicate(timeout=DEADLINE_S)
    assert json.loads(out)["result"] == 5_000_000


# ---- at the terminal -------------------------------------------------------------------------


class Terminal:
    """The command with stdin and stderr on a terminal of its own.

    Args:
        folder: of the workflow.
        words: of the command.
    """

    def __init__(self, folder: Folder, *words: str) -> None:
        self._ours, theirs = pty.openpty()
        self.shown = ""
        self.process = subprocess.Popen(
            folder.words(*words),
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
            cwd=folder.folder,
            start_new_session=True,
            preexec_fn=lambda: pty_is_ours(theirs),
            env={**os.environ, "NO_COLOR": "1"},
        )
        os.close(theirs)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *raised: object) -> None:
        self.process.kill()
        self.process.communicate(timeout=DEADLINE_S)
        os.close(self._ours)

    def until(self, text: str) -> str:
        """Read until this is shown. What was shown since the last time."""
        while text not in self.shown:
            try:
                self.shown += os.read(self._ours, 1 << 16).decode(errors="replace")
            except OSError as error:
                raise AssertionError(f"{text!r} was not shown: {self.shown}") from error
        shown, _, self.shown = self.shown.partition(text)
        return shown + text

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def result(self) -> object:
        assert self.process.stdout is not None
        text = self.process.stdout.read()
        assert self.process.wait(DEADLINE_S) == 0, text
        return json.loads(text)["result"]


def pty_is_ours(terminal: int) -> None:
    import fcntl

    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


def test_whoever_is_at_the_terminal_is_asked(tmp_path: Path) -> None:
    with Terminal(Folder(tmp_path), "run", "w.js") as terminal:
        shown = terminal.until("from 1 to 2, or JSON:")
        assert "?? question 1 rel\ufffdease: ship \ufffd[31mit?\r\n   flowcage: done" in shown
        assert "   1) yes\r\n   2) no, wait\r\n" in shown
        assert "\x1b" not in shown
        terminal.type("3\n")
        terminal.until("!! it is none of the options")
        terminal.until("or JSON:")
        terminal.type("\n")
        terminal.until("!! nothing was typed")
        terminal.until("or JSON:")
        terminal.type("2\n")
        terminal.until("question 1 is settled")
        terminal.until("type JSON that fits")
        terminal.type("none\n")
        terminal.until("!! it is not JSON")
        terminal.until("type JSON that fits")
        terminal.type("0\n")
        terminal.until("!! (root): 0 is less than the minimum")
        terminal.until("type JSON that fits")
        terminal.type("7\n")
        terminal.until("as text or JSON:")
        terminal.type("42\n")
        assert terminal.result() == [{"wait": 3}, 7, "42"]


def test_an_answer_from_elsewhere_withdraws_the_prompt(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with Terminal(folder, "run", "w.js") as terminal:
        terminal.until("or JSON:")
        folder.given("1", "yes")
        terminal.until("question 1 is settled")
        terminal.until("type JSON that fits")
        terminal.type("1\n")
        terminal.until("as text or JSON:")
        terminal.type("\x04")  # the end of the input
        shown = terminal.until(" 3 JSON")
        assert "answer it with: flowcage answer" in shown
        folder.given("3", "late")
        assert terminal.result() == ["yes", 1, "late"]


def test_ctrl_c_leaves_the_question_for_the_next_life(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with Terminal(folder, "run", "w.js") as terminal:
        terminal.until("or JSON:")
        terminal.type("\x03")
        terminal.until("resume with: flowcage resume")
        assert terminal.process.wait(DEADLINE_S) == 130
    with Terminal(folder, "resume", "@last") as terminal:
        terminal.until("or JSON:")
        terminal.type("1\n")
        terminal.until("type JSON that fits")
        terminal.type("9\n")
        terminal.until("as text or JSON:")
        terminal.type('"x"\n')
        assert terminal.result() == ["yes", 9, "x"]


def test_nobody_is_asked_who_does_not_want_to_be(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with Terminal(folder, "run", "w.js", "--no-prompt") as terminal:
        shown = terminal.until("1 JSON")
        assert "answer with: flowcage answer" in shown
        folder.given("1", "yes")
        terminal.until("question 2")
        terminal.type("\x03")
        terminal.until("resume with")


# ---- killed ----------------------------------------------------------------------------------

MANY = """import { ask } from 'workflow:extra';
const all = [];
for (let i = 0; i < 6; i++) {
  const [a, b] = await Promise.all([ask(`a${i} after ${all.length}`), ask(`b${i}`)]);
  all.push(a, b);
}
export default all;"""


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.thorough) for n in range(2, 10))])
def test_no_answer_is_lost_or_changed_by_a_host_that_is_killed(tmp_path: Path, seed: int) -> None:
    folder, rng = Folder(tmp_path, MANY), random.Random(seed)
    answers: dict[str, str] = {}
    words = ("run", "w.js")
    # It may be killed between the end of its run and the line that tells it.
    while len(answers) < 12 or (told := folder("result", "@last")).returncode != 0:
        with folder.running(*words) as process:
            shown: list[str] = []
            for _ in range(rng.choice([1, 1, 2, 3])):
                if len(answers) < 12:
                    _answer_one(process, shown, folder, answers, rng)
            if len(answers) < 12 or rng.random() < 0.5:
                process.kill()  # it may have heard of the answer, taken it in, or told its child
            process.communicate(timeout=DEADLINE_S)
        words = ("resume", "@last")
    assert json.loads(told.stdout) == [answers[str(number)] for number in range(1, 13)]


def _answer_one(
    process: subprocess.Popen[str],
    shown: list[str],
    folder: Folder,
    answers: dict[str, str],
    rng: random.Random,
) -> None:
    """Answer one of the two questions that are put together."""
    first = min(number for number in range(1, 13) if str(number) not in answers)
    pair = [first, first + 1] if first % 2 else [first]
    request = rng.choice([str(number) for number in pair if str(number) not in answers])
    value = f"{request} by {rng.random()}"
    assert process.stderr is not None
    while not any(f"?? question {request}:" in line for line in shown):
        shown.append(process.stderr.readline())
        assert shown[-1], "the host has ended"
    done = folder("answer", "@last", request, value)
    assert done.returncode == 0, done.stderr
    answers[request] = value
