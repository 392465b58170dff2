"""Children in strange circumstances, and what the kernel says of them."""

from __future__ import annotations

import functools
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from flowcage.conformance.peer import ChildPeer
from flowcage.protocol import envelope

from ..host import zygote
from .child_process import COMMAND, DEADLINE_S, ChildProcess, Refused

CIRCUMSTANCES = Path(__file__).with_name("circumstances.py")
_FORKS_BEFORE_A_PREPARED_ONE = 3
_ORDINARY_USER = "12345"


class Caged(ChildProcess):
    """A child started by any command, with any options of `subprocess.Popen`."""

    @property
    def pid(self) -> int:
        return self.program.pid

    def enter(self, isolation: str = "strict", **params: Any) -> dict[str, Any]:
        """Initialize; the whole result."""
        result: dict[str, Any] = self.request(
            "initialize", protocolVersion="1.0", isolation=isolation, **params
        )
        self.is_initialized = True
        return result

    def request_before_initialize(self) -> None:
        """Have the child answer once: it has started, and can still be looked into."""
        with pytest.raises(Refused, match="before initialize"):
            self.request("drain")

    def proc(self, name: str) -> str:
        """A file of this process under /proc."""
        return Path(f"/proc/{self.pid}/{name}").read_text()

    def status(self) -> dict[str, str]:
        """/proc/PID/status by name."""
        lines = self.proc("status").splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def limits(self) -> dict[str, tuple[str, str]]:
        """/proc/PID/limits: soft and hard by name."""
        found = {}
        for line in self.proc("limits").splitlines()[1:]:
            soft, hard = line[26:].split()[:2]
            found[line[:26].strip()] = (soft, hard)
        return found

    def expect_end(self) -> tuple[int, bytes, bytes]:
        """Wait for the end of a child that is not expected to leave in peace: status, stdout, stderr."""
        status = self.program.wait(DEADLINE_S)
        assert status is not None, "it did not end in time"
        self.over()
        return status, bytes(self.program.stdout), self.program.stderr


class Prepared(Caged):
    """A child that a zygote has prepared. It is forked when it is to enter its cage.

    Args:
        prefix: what to put before the zygote's command.
    """

    def __init__(self, prefix: Sequence[str] = ()) -> None:
        self._zygote = zygote.Zygote((*prefix, *zygote.COMMAND))
        self._over = True  # until there is one

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not self._over:
                super().__exit__(kind, error, trace)
        finally:
            self._zygote.end()

    def enter(self, isolation: str = "strict", **params: Any) -> dict[str, Any]:
        """Have one forked that answers `initialize`; the whole result."""
        asked = {"protocolVersion": "1.0", "isolation": isolation, **params}
        message = envelope.request(1, "initialize", asked)
        for _ in range(_FORKS_BEFORE_A_PREPARED_ONE):
            one = zygote.Answering(self._zygote, message, DEADLINE_S)
            assert one.read_line()
            one.end()
        ChildPeer.__init__(self, zygote.Answering(self._zygote, message, DEADLINE_S), None)
        self._over, self._next_id, self.is_initialized = False, 2, True
        result: dict[str, Any] = self.result_for(1, "initialize")
        return result


def circumstance(name: str, *arguments: str) -> tuple[str, ...]:
    """The command that starts a child in one of `circumstances.py`."""
    return (sys.executable, "-I", str(CIRCUMSTANCES), name, *(arguments or COMMAND))


@functools.cache
def ordinary_user() -> tuple[str, ...]:
    """What to put before a command, so that an ordinary user runs it; skip where that cannot be."""
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("no setpriv here (util-linux), to become an ordinary user")
    prefix = (setpriv, f"--reuid={_ORDINARY_USER}", f"--regid={_ORDINARY_USER}", "--clear-groups", "--")
    program = "import flowcage.child.session, _quickjs; open('/dev/null').close()"
    probe = [*prefix, sys.executable, "-I", "-c", program]
    done = subprocess.run(probe, env={}, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"an ordinary user cannot run this interpreter: {done.stderr.strip()[-200:]}")
    return prefix


def wait_for_end(pidfd: int, seconds: float = DEADLINE_S) -> bool:
    """Whether a process that is not our child ends in time."""
    return bool(select.select([pidfd], [], [], seconds)[0])
