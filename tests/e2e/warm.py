"""Commands that are forked, one after the other, from a process that has everything imported.

An import of all that ``flowcage run`` needs takes two thirds of its time, and more of a server's. What a
command does at its start is tested with the command itself, as is what signals and closed streams do to it,
and what others see of the process's environment.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

FLOWCAGE = Path(sys.executable).parent / "flowcage"
PROGRAM = Path(__file__).with_name("warm_command.py")
_DEADLINE_S = 120.0
_PADDING = 16_384
_EXECUTED = subprocess.Popen
# Options of `subprocess.Popen` that say nothing of the process but what it is forked with.
_OPTIONS = {
    *("stdin", "stdout", "stderr", "cwd", "env", "start_new_session"),
    *("text", "encoding", "errors", "universal_newlines", "bufsize"),
}
# Variables that are read when an interpreter starts, or when flowcage is imported.
_AT_START = ("PYTHON", "LANG", "LC_", "_FLOWCAGE", "FLOWCAGE_CHECK_MESSAGES", "FLOWCAGE_TYPED_CODEC",
             "FLOWCAGE_JOINED_MESSAGES", "FLOWCAGE_SHORT_CUT", "FLOWCAGE_PREPARED_CAGES",
             "FLOWCAGE_IMMORTAL_OBJECTS", "FLOWCAGE_GATHERED_MEMORY")  # fmt: skip


class Warm:
    """`warm_command.py`."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        self._control.settimeout(_DEADLINE_S)
        self._lock = Lock()
        with theirs:
            command = (sys.executable, "-I", str(PROGRAM), "x" * _PADDING)
            self._process = _EXECUTED(command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL)

    def fork(self, descriptors: Sequence[int], **request: Any) -> int:
        """The id of a command with these three descriptors, which is a child of this process."""
        data = json.dumps(request).encode()
        with self._lock:
            socket.send_fds(self._control, [len(data).to_bytes(8)], descriptors)
            self._control.sendall(data)
            return int.from_bytes(self._control.recv(8))

    def end(self) -> None:
        """Have it leave."""
        self._control.close()
        assert self._process.wait(_DEADLINE_S) == 0


_at_work: Warm | None = None


class Popen(_EXECUTED):  # type: ignore[type-arg]
    """`subprocess.Popen`, which forks the ``flowcage`` command where there is a warm one."""

    def __init__(self, args: Any, *rest: Any, **options: Any) -> None:
        self._by = None if rest else _who_forks(args, options)
        self._has_session = bool(options.get("start_new_session"))
        super().__init__(args, *rest, **options)

    def _execute_child(self, args: Any, *rest: Any) -> None:
        if self._by is None:
            super()._execute_child(args, *rest)  # type: ignore[misc]
            return
        _program, _preexec, _close, _pass, cwd, env, _info, _flags, _shell, *pipes = rest[:15]
        given = zip((pipes[0], pipes[3], pipes[5]), range(3), strict=True)
        self.pid = self._by.fork(
            [ours if pipe == -1 else pipe for pipe, ours in given],
            words=[os.fsdecode(word) for word in args],
            cwd=os.fsdecode(cwd or Path.cwd()),
            env=dict(os.environ if env is None else env),
            has_session=self._has_session,
        )
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]


def _who_forks(args: Any, options: Mapping[str, Any]) -> Warm | None:
    words = args if isinstance(args, list | tuple) else ("",)
    is_command = os.fsdecode(words[0]) == str(FLOWCAGE) and sum(map(len, map(os.fsdecode, words))) < _PADDING
    env = options.get("env")
    is_usual = options.keys() <= _OPTIONS and (env is None or _at_start(env) == _at_start(os.environ))
    return _at_work if is_command and is_usual else None


def _at_start(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(_AT_START)}


def have_one(wanted: bool, *, everywhere: bool = False) -> None:
    """Start one, or end it.

    Args:
        wanted: by the functions of `command.py`.
        everywhere: and wherever a test starts the command.
    """
    global _at_work
    if wanted and _at_work is None:
        _at_work = Warm()
    elif not wanted and _at_work is not None:
        _at_work.end()
        _at_work = None
    subprocess.Popen = Popen if wanted and everywhere else _EXECUTED  # type: ignore[misc]
