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

from flowcage.conformance.check import Check, Deviation
from flowcage.conformance.process import Program
from flowcage.conformance.process import how_ended as how_ended

CHILD, WORKFLOW = "{child}", "{workflow}"
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


class NotAHost(Exception):
    """The command does not start the child that it is given; the text says what was seen."""


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
        return f"the host: {ended}; stderr: {said!r}" if said else f"the host: {ended}; stderr is empty"


class HostSubject:
    """Runs a host once for each scenario, and gives the outcome to the checks of that scenario.

    Args:
        command: program and arguments. ``{child}`` in them is replaced by the path of the fake child,
            ``{workflow}`` by that of a workflow file.
        timeout: seconds that a run of the host may take.
    """

    def __init__(self, command: Sequence[str], timeout: float) -> None:
        self._command = command
        self._timeout = timeout
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
            raise Deviation(f"the host did not start the child that it was given; {played.how_ended}")
        check.run(played)

    def require_host(self) -> None:
        """Run the first scenario, to find out whether the command starts the child.

        Raises:
            NotAHost: it does not.
            CannotStart: there is no such program.
        """
        self._played[FIRST_SCENARIO] = played = self.play(FIRST_SCENARIO)
        if not played.notes:
            raise NotAHost(f"it did not start the child that it was given; {played.how_ended}")

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
            child, workflow = Path(folder, "child"), Path(folder, "workflow.js")
            words = (
                sys.executable,
                "-I",
                "-m",
                "flowcage.conformance.fake_child",
                scenario,
                str(transcript),
            )
            child.write_text(f"#!/bin/sh\nexec {shlex.join(words)}\n")
            child.chmod(0o755)
            workflow.write_text(SOURCE)
            command = [
                word.replace(CHILD, str(child)).replace(WORKFLOW, str(workflow)) for word in self._command
            ]
            program = Program(command, self._timeout, env=_environment(child))
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
                _end(_notes(transcript))


def _environment(child: Path) -> dict[str, str]:
    """This process's environment, with the child's path and with message checks on in flowcage's host."""
    return {**os.environ, "FLOWCAGE_CHILD": str(child), "FLOWCAGE_CHECK_MESSAGES": "1"}


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


def _end(notes: list[Note]) -> None:
    """Kill fake children that still run; they are the host's children, so they cannot be reaped here."""
    import psutil

    for pid in _pids(notes):
        try:
            process = psutil.Process(pid)
            if "flowcage.conformance.fake_child" in process.cmdline():
                process.kill()
        except psutil.Error:
            continue
