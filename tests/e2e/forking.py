"""`subprocess.Popen` that has a process fork what it would execute: for `warm.py`, and in what that forks.

It imports nothing of the tests, since `warm_command.py`, which is no module of a package, imports it, too.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

FLOWCAGE = str(Path(sys.executable).parent / "flowcage")
EXECUTED = subprocess.Popen
PADDING = 16_384
# How flowcage starts itself: host/cli/runs/detaching.py.
ITSELF = (sys.executable, "-P", "-c", "from flowcage.host.cli.entry import main; main()")
# Options of `subprocess.Popen` that say nothing of the process but what it is forked with.
_OPTIONS = {
    *("stdin", "stdout", "stderr", "cwd", "env", "start_new_session", "pass_fds"),
    *("text", "encoding", "errors", "universal_newlines", "bufsize"),
}
# Variables that are read when an interpreter starts, or when flowcage is imported.
_AT_START = ("PYTHON", "LANG", "LC_", "FLOWCAGE_CHECK_MESSAGES", "FLOWCAGE_TYPED_CODEC",
             "FLOWCAGE_JOINED_MESSAGES", "FLOWCAGE_SHORT_CUT", "FLOWCAGE_PREPARED_CAGES",
             "FLOWCAGE_IMMORTAL_OBJECTS", "FLOWCAGE_GATHERED_MEMORY")  # fmt: skip


class Forker:
    """Asks a process of `warm_command.py` for children of this one."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._lock = Lock()

    def fork(self, descriptors: Sequence[int], **request: Any) -> int:
        """The id of a process with these descriptors, the first three of which are its streams."""
        data = json.dumps(request).encode()
        with self._lock:
            socket.send_fds(self._control, [len(data).to_bytes(8)], descriptors)
            self._control.sendall(data)
            return int.from_bytes(self._control.recv(8))

    def close(self) -> None:
        """Have the process leave."""
        self._control.close()


at_work: Forker | None = None


def take_terminal() -> None:
    """To be given as `preexec_fn`: the terminal that stdin is controls the process, which leads a session."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Popen(EXECUTED):  # type: ignore[type-arg]
    """`subprocess.Popen`, which has the ``flowcage`` command forked where somebody is at work."""

    def __init__(self, args: Any, *rest: Any, **options: Any) -> None:
        self._by = None if rest else _who_forks(args, options)
        self._given = options
        super().__init__(args, *rest, **options)

    def _execute_child(self, args: Any, *rest: Any) -> None:
        if self._by is None:
            super()._execute_child(args, *rest)  # type: ignore[misc]
            return
        _program, _preexec, _close, passed, cwd, env, _info, _flags, _shell, *pipes = rest[:15]
        given = zip((pipes[0], pipes[3], pipes[5]), range(3), strict=True)
        self.pid = self._by.fork(
            [*(ours if pipe == -1 else pipe for pipe, ours in given), *passed],
            words=[os.fsdecode(word) for word in args],
            passed=[*passed],
            cwd=os.fsdecode(cwd or Path.cwd()),
            env=dict(os.environ if env is None else env),
            umask=_umask(),
            has_terminal=self._given.get("preexec_fn") is take_terminal,
            has_session=bool(self._given.get("start_new_session")),
        )
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]


def _who_forks(args: Any, options: Mapping[str, Any]) -> Forker | None:
    words = [*map(os.fsdecode, args)] if isinstance(args, list | tuple) else [""]
    is_command = words[0] == FLOWCAGE or tuple(words[: len(ITSELF)]) == ITSELF
    env = options.get("env")
    given = {name for name, value in options.items() if value and value is not take_terminal}
    is_usual = given <= _OPTIONS and _at_start(env or {}).items() <= _at_start(os.environ).items()
    return at_work if is_command and is_usual and sum(map(len, words)) < PADDING - len(words) else None


def _umask() -> int:
    os.umask(umask := os.umask(0o77))
    return umask


def _at_start(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(_AT_START)}
