"""The tests' end of the fork server in `compromised`."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Literal

from .attack import Attack, Outcome

Way = Literal["by itself", "prepared"]
_ROOT = Path(__file__).parents[2]


class Attacker:
    """Carries out attacks, one after the other. Leaving its ``with`` block ends its processes.

    Args:
        keep_environment: leave out what the real child does against the host's environment.
        way: by which children get into their cage.
    """

    def __init__(self, *, keep_environment: bool = False, way: Way = "by itself") -> None:
        self.way = way
        self._scratch = tempfile.TemporaryDirectory()
        os.chmod(self._scratch.name, 0o777)
        self._victim = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        keep = "yes" if keep_environment else "no"
        arguments = [keep, way, str(self._victim.pid), self._scratch.name]
        self._server = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.compromised", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
            env={"TZ": "UTC0", "PASSWORD": f"SESAME_{secrets.randbelow(10**16):016}"},
        )

    def __enter__(self) -> Attacker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for process in (self._server, self._victim):
                assert process.stdin is not None
                if process is self._victim:
                    assert process.poll() is None, "an attack has killed its victim"
                    process.kill()
                process.stdin.close()
                process.wait()
        finally:
            assert self._server.stdout is not None
            self._server.stdout.close()
            self._scratch.cleanup()

    def attempt(self, attack: Attack, without: Collection[str] = ()) -> Outcome:
        """Carry out one attack, with all layers or without some."""
        assert not (without and attack.caged_only), f"{attack.name}: too dangerous, or without meaning"
        return self._ask(attack.name, without)

    def applied(self, without: Collection[str] = ()) -> set[str]:
        """The layers that this machine gives to a child; one that was removed claims to be there."""
        return set(self._ask("", without).detail.split())

    def _ask(self, name: str, without: Collection[str]) -> Outcome:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps({"attack": name, "without": sorted(without)}) + "\n")
        self._server.stdin.flush()
        answer = self._server.stdout.readline()
        assert answer, "an attack has ended the fork server"
        return Outcome(*json.loads(answer))
