"""The ``flowcage`` command as a process of its own, for what a person could type as well."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import trio

from flowcage.host.terminal.text import cut, plain_text
from flowcage.host.ui.api.problems import Problem

_SECONDS = 120.0
_AT_ONCE = 2
_ERROR = 2_000  # characters
NOTHING: Mapping[str, str] = MappingProxyType({})


class Program:
    """It, for one server.

    Args:
        words: that start it; empty where there is none.
        seconds: for one command, after which it is ended.
        more: variables of its environment.
    """

    def __init__(
        self, words: Sequence[str], seconds: float = _SECONDS, more: Mapping[str, str] = NOTHING
    ) -> None:
        self._words = list(words)
        self._more = more
        self._seconds = seconds
        self._slots = trio.CapacityLimiter(_AT_ONCE)

    async def ask(self, words: Sequence[str], stdin: bytes = b"") -> Any:
        """Carry out a command, and read the JSON that it prints.

        Raises:
            Problem: it printed none; the message is what it said instead.
        """
        if not self._words:
            raise Problem(409, "this server goes on with no runs")
        async with self._slots:
            done = await self._finished([*self._words, *words], words[0], stdin)
        try:
            return json.loads(done.stdout)
        except ValueError:
            why = cut(plain_text(done.stderr).removeprefix("flowcage: "), _ERROR)
            raise Problem(
                409, why or f"flowcage {words[0]} has ended with status {done.returncode}"
            ) from None

    async def _finished(
        self, command: list[str], name: str, stdin: bytes
    ) -> subprocess.CompletedProcess[bytes]:
        with trio.move_on_after(self._seconds):
            return await trio.run_process(
                command,
                stdin=stdin,
                capture_stdout=True,
                capture_stderr=True,
                check=False,
                env={**os.environ, **self._more, "NO_COLOR": "1"},
            )
        raise Problem(504, f"flowcage {name} took more than {self._seconds:.0f} seconds, and was ended")
