"""Hosts under test: the command is run once for each scenario against the fake child, and judged."""

from __future__ import annotations

import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from flowcage.conformance.check import Check, Deviation, Unfit
from flowcage.conformance.process import Program
from flowcage.conformance.process import how_ended as how_ended

WORKFLOW = "{workflow}"
# The workflow that the host is told to run. The fake child does not read it.
SOURCE = """log("hello", { n: 1 });
const answer = agent("ready?");
await SW.extra.sleep(300);
export default await answer;
"""
FIRST_SCENARIO = "good"
# The same run with a child that has neither run nor advance.
OLDER_CHILD = "older:good"
# How long the fake child may outlive its host.
GRACE_SECONDS = 3.0


class Note(NamedTuple):
    """One event of the fake child's transcript; `at` in seconds of the monotonic clock."""

    at: float
    event: str
    text: str


class Played(NamedTuple):
    """One run of the host against one scenario.

    Attributes:
        notes: the transcript; empty where the host has not started the fake child.
        status: the host's exit status; None where it did not end in time.
        stdout, stderr: what the host wrote; of stderr the end only.
        child_ended: whether the fake child had ended within `GRACE_SECONDS` after the host.
        timeout: seconds that the host was given.
    """

    notes: list[Note]
    status: int | None
    stdout: str
    stderr: str
    child_ended: bool
    timeout: float

    @property
    def lines(self) -> list[str]:
        """The lines that the host sent, up to `shutdown`."""
        return [note.text for note in self.notes if note.event == "read"]

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The lines that are JSON objects."""
        return [message for line in self.lines if (message := _object(line)) is not None]

    @property
    def began(self) -> list[tuple[float, dict[str, Any]]]:
        """When a workflow was started or run, in seconds, and with which params."""
        return [
            (at, params) for name in ("start", "run") for at, method, params in self._sent() if method == name
        ]

    @property
    def settled(self) -> list[tuple[float, Any]]:
        """When requests were settled, in seconds, and by which ids."""
        found: list[tuple[float, Any]] = []
        for at, method, params in self._sent():
            if method == "resolve":
                found.append((at, params.get("id")))
            elif method == "advance":
                found += [(at, answer.get("id")) for turn in params.get("turns", ()) for answer in turn]
        return found

    def _sent(self) -> list[tuple[float, Any, dict[str, Any]]]:
        read = [(note.at, _object(note.text) or {}) for note in self.notes if note.event == "read"]
        return [(at, message.get("method"), message.get("params") or {}) for at, message in read]

    def sent(self, method: str) -> list[dict[str, Any]]:
        """The params of all messages of a method."""
        return [message.get("params") or {} for message in self.messages if message.get("method") == method]

    @property
    def how_ended(self) -> str:
        """How the host ended and the end of its stderr, for a report."""
        ended = f"did not end within {self.timeout:g} s" if self.status is None else how_ended(self.status)
        said = self.stderr.strip()[-300:]
        return f"the command: {ended}; stderr: {said!r}" if said else f"the command: {ended}; stderr is empty"


class Playing(NamedTuple):
    """Whom the kit plays.

    Attributes:
        placeholder: what stands for its path in a command.
        module: the program.
        variable: of the environment, with its path.
        source: of the workflow that is to be run.
        noun: what it is called.
    """

    placeholder: str
    module: str
    variable: str
    source: str
    noun: str


CHILD = Playing("{child}", "flowcage.conformance.fake_child", "FLOWCAGE_CHILD", SOURCE, "child")


class HostSubject:
    """Runs a host once for each scenario, and gives the outcome to the checks of that scenario.

    Args:
        command: program and arguments. ``{child}`` in them is replaced by the path of the fake child,
            ``{workflow}`` by that of a workflow file.
        timeout: seconds that a run of the host may take.
        playing: what the kit plays, in place of a child.
    """

    def __init__(self, command: Sequence[str], timeout: float, playing: Playing = CHILD) -> None:
        self._command = command
        self._timeout = timeout
        self._playing = playing
        self._played: dict[str, Played] = {}
        self._locks: dict[str, Lock] = {}
        self._lock = Lock()

    def attempt(self, check: Check[Played]) -> None:
        """Run one check.

        Raises:
            Deviation: it failed.
        """
        with self._lock:
            lock = self._locks.setdefault(check.needs, Lock())
        with lock:  # checks of the same scenario judge the same run
            if check.needs not in self._played:
                self._played[check.needs] = self.play(check.needs)
        played = self._played[check.needs]
        if not played.notes:
            raise Deviation(
                f"it did not start the {self._playing.noun} that it was given; {played.how_ended}"
            )
        check.run(played)

    def require(self) -> None:
        """Run the first scenario, to find out whether the command starts what the kit plays.

        Raises:
            Unfit: it does not.
            CannotStart: there is no such program.
        """
        self._played[FIRST_SCENARIO] = played = self.play(FIRST_SCENARIO)
        if not played.notes:
            raise Unfit(self._not_started(played))

    def _not_started(self, played: Played) -> str:
        return f"it did not start the {self._playing.noun} that it was given; {played.how_ended}"

    def play(self, scenario: str) -> Played:
        """Run the host against one scenario.

        Raises:
            CannotStart: there is no such program.
        """
        with tempfile.TemporaryDirectory(prefix="flowcage-conformance-") as folder:
            os.chmod(folder, 0o755)  # the host may start its child as another user
            transcript = Path(folder, "transcript.jsonl")
            transcript.touch()
            transcript.chmod(0o666)
            played, workflow = Path(folder, self._playing.noun), Path(folder, "workflow.js")
            words = (
                sys.executable,
                "-I",
                "-m",
                self._playing.module,
                scenario,
                str(transcript),
            )
            played.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
            played.chmod(0o755)
            workflow.write_text(self._playing.source)
            command = [
                word.replace(self._playing.placeholder, str(played)).replace(WORKFLOW, str(workflow))
                for word in self._command
            ]
            variables = {self._playing.variable: str(played), "FLOWCAGE_CHECK_MESSAGES": "1"}
            program = Program(command, self._timeout, env={**os.environ, **variables})
            try:
                program.close_stdin()
                status = program.wait()
                notes = _notes(transcript)
                left = _have_ended(notes)
                return Played(
                    _notes(transcript) if left else notes,
                    status,
                    program.stdout.decode("utf-8", "replace"),
                    program.stderr.decode("utf-8", "replace"),
                    left,
                    self._timeout,
                )
            finally:
                program.end()
                _end(_notes(transcript), self._playing.module)


def _object(line: str) -> dict[str, Any] | None:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def _notes(transcript: Path) -> list[Note]:
    return [Note(**json.loads(line)) for line in transcript.read_text().splitlines()]


def _pids(notes: list[Note]) -> list[int]:
    return [int(note.text) for note in notes if note.event == "began"]


def _have_ended(notes: list[Note]) -> bool:
    """Wait until every started fake child has ended, for `GRACE_SECONDS` at most.

    Returns:
        Whether all have ended.
    """
    deadline = time.monotonic() + GRACE_SECONDS
    while left := [pid for pid in _pids(notes) if _is_running(pid)]:
        if time.monotonic() > deadline:
            return not left
        time.sleep(0.02)
    return True


def _is_running(pid: int) -> bool:
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _end(notes: list[Note], module: str) -> None:
    """Kill what the kit plays where it still runs; these are the subject's children, and not reaped here."""
    import psutil

    for pid in _pids(notes):
        try:
            process = psutil.Process(pid)
            if module in process.cmdline():
                process.kill()
        except psutil.Error:
            continue
