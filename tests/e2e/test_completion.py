"""What shells complete: bash, zsh and fish themselves, where they are installed."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from .command import DEADLINE, FLOWCAGE, Finished, flowcage

WORKFLOW = "export const meta = {name: 'w'}; return 1"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = tmp_path / "project"
    (folder / "workflows").mkdir(parents=True)
    names = ["release-notes", "größe", "two words", "$(touch pwned)", "a;b", "star*", "tick`", "line\nbreak"]
    for name in names:
        (folder / "workflows" / f"{name}.js").write_text(WORKFLOW)
    return folder


def asked(folder: Path, *words: str, shell: str = "zsh") -> Finished:
    """What a shell is told that asks about the last of these words."""
    typed = " ".join(words)
    env = {"_FLOWCAGE_COMPLETE": f"{shell}_complete", "COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
    return flowcage(cwd=folder, env=env)


def words_of(told: Finished) -> list[str]:
    lines = told.stdout.splitlines()
    return [word for kind, word in zip(lines[::3], lines[1::3], strict=True) if kind == "plain"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("flowcage", "resu"), ["result", "resume"]),
        (("flowcage", "run", "rel"), ["release-notes"]),
        (("flowcage", "run", "--plan", "rel"), ["release-notes"]),
        (("flowcage", "fork", "@last", "rel"), ["release-notes"]),
        (("flowcage", "run", "--agent-t"), ["--agent-timeout"]),
        (("flowcage", "run", "--detached"), []),
        (("flowcage", "run", "--agent", "cl"), ["claude"]),
        (("flowcage", "show", "@"), ["@last"]),
        (("flowcage", "completion", "f"), ["fish"]),
    ],
)
def test_what_can_be_typed_is_told(project: Path, words: tuple[str, ...], expected: list[str]) -> None:
    assert words_of(asked(project, *words)) == expected


def test_files_are_completed_by_the_shell_beside_names(project: Path) -> None:
    assert asked(project, "flowcage", "run", "workflows/r").stdout == "file\nworkflows/r\n_\n"
    assert asked(project, "flowcage", "run", "rel", shell="bash").stdout == "file,rel\nplain,release-notes\n"


def test_a_name_that_a_shell_would_read_as_more_is_left_out(project: Path) -> None:
    assert words_of(asked(project, "flowcage", "run", "")) == ["größe", "release-notes"]


def test_runs_are_told_with_how_they_stand(project: Path) -> None:
    run_id = flowcage("run", "release-notes", cwd=project).json["runId"]
    (project / "other").mkdir()
    other = flowcage("run", "release-notes", "--store", "other/runs.db", cwd=project).json["runId"]
    told = asked(project, "flowcage", "show", run_id[:3])
    assert words_of(told) == [run_id]
    assert "completed release-notes.js" in told.stdout
    assert words_of(asked(project, "flowcage", "show", "--store", "other/runs.db", other[:3])) == [other]
    assert words_of(asked(project, "flowcage", "rm", run_id, run_id[:20])) == [run_id]


@pytest.mark.parametrize(
    "words",
    [
        ("flowcage", "nothing", "x"),
        ("flowcage", "show", "--store", "none.db", "0"),
        ("flowcage", "show", "--store", "workflows", "0"),
        ("flowcage", "run", "'un"),
        ("flowcage", "cancel", "--reason", "-", "0"),  # stdin is not read
        ("flowcage", "run", "--timeout", "soon", "nothing"),
    ],
)
def test_what_is_wrong_is_not_told_in_the_middle_of_a_line(project: Path, words: tuple[str, ...]) -> None:
    told = asked(project, *words)
    assert (told.status, told.stderr, words_of(told)) == (0, "", [])
    assert not (project / "none.db").exists()


def test_a_shell_that_is_not_known_is_told_nothing(project: Path) -> None:
    told = asked(project, "flowcage", "run", "rel", shell="tcsh")
    assert (told.status, told.stdout, told.stderr) == (0, "", "")
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in flowcage("completion", "tcsh").stderr


SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
SETUP = {
    "bash": "source <(flowcage completion bash)",
    "zsh": "autoload -Uz compinit; compinit -uD; bindkey -e; source <(flowcage completion zsh)",
    "fish": "flowcage completion fish | source",
}
MISSING = {name: pytest.mark.skipif(shutil.which(name) is None, reason="is not installed") for name in SHELLS}


class Shell:
    """An interactive shell on a terminal of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        path = f"{FLOWCAGE.parent}:{os.environ['PATH']}"
        env = {
            **os.environ,
            "PATH": path,
            "TERM": "dumb",
            "PS1": "$ ",
            "HISTFILE": "",
            "INPUTRC": "/dev/null",
        }
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            SHELLS[name],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env=env,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        self._told = b""

    def run(self, line: str) -> None:
        """Type a line, and wait until it is done: what is waited for is not what is typed."""
        self.type(f"{line}; echo do''ne\n")
        self.until(rb"done")

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def until(self, pattern: bytes) -> bytes:
        """What the shell wrote up to a pattern; what comes behind it is kept."""
        while (found := re.search(pattern, self._told, re.DOTALL)) is None:
            ready, _, _ = select.select([self._ours], [], [], DEADLINE)
            assert ready, self._told
            self._told += os.read(self._ours, 65536)
        before, self._told = self._told[: found.end()], self._told[found.end() :]
        return before

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


@pytest.fixture(params=[pytest.param(name, marks=mark) for name, mark in MISSING.items()])
def shell(request: pytest.FixtureRequest, project: Path) -> Iterator[Shell]:
    shell = Shell(request.param, project)
    try:
        shell.run(SETUP[request.param])
        yield shell
    finally:
        shell.end()


@pytest.mark.parametrize(
    ("typed", "whole"),
    [
        ("flowcage compl", "completion"),
        ("flowcage run rel", "release-notes"),
        ("flowcage run --agent-t", "--agent-timeout"),
        ("flowcage run --agent=cl", "--agent=claude"),
        ("flowcage run --agent=mock rel", "release-notes"),
        ("flowcage run workflows/rel", "workflows/release-notes.js"),
        ("flowcage run release-notes --events wor", "workflows/"),
    ],
)
def test_a_real_shell_completes(shell: Shell, typed: str, whole: str) -> None:
    shell.type(f"{typed}\t")
    shell.type("\x01echo '<' \x05 '>'\n")  # to the beginning of the line, and to its end
    told = shell.until(rb"\n< [^\n]* >")
    # zsh takes the slash of a folder back where something else follows.
    line = told.rpartition(b"\n< ")[2].decode().removesuffix(" >").strip().removesuffix("/")
    assert line == f"{typed.rpartition(' ')[0]} {whole}".removesuffix("/")


def test_no_name_runs_as_code_where_it_is_completed(shell: Shell, project: Path) -> None:
    for name in ("release-notes", "größe", "two words", "a;b", "star*", "tick`", "line\nbreak"):
        (project / "workflows" / f"{name}.js").unlink()
    shell.type("flowcage run \t\n")
    shell.run("true")
    assert not (project / "pwned").exists()
