"""``python -m tests.conformance.broken.service ID [ARGUMENT …]``: a host that is broken in one way.

flowcage's own host with these arguments, behind a relay that changes what it hears or says.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from .mutant import Mutant, Turn
from .mutant import error as plain_error
from .of_service import OF_SERVICE, SHARED
from .relay import Broken, State

FLOWCAGE = str(Path(sys.executable).parent / "flowcage")
ID = sys.argv[1]
BROKEN: Broken = OF_SERVICE.get(ID, Broken())
MUTANT: Mutant = SHARED.get(ID, Mutant())


class Relay:
    """The lines of both directions."""

    def __init__(self, arguments: list[str]) -> None:
        self.host = subprocess.Popen(
            [FLOWCAGE, "host", *(BROKEN.arguments or arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.lock = threading.RLock()
        self.state = State(self.to_host, self.to_client)
        self.past: list[Turn] = []
        self.held = b""

    def run(self) -> None:
        """Until both sides have ended."""
        signal.signal(signal.SIGTERM, lambda _signal, _frame: self.host.terminate())
        if BROKEN.mutters:
            os.write(2, b"by the way\n")
        if BROKEN.leaves:
            subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        threading.Thread(target=self.read_client, daemon=True).start()
        assert self.host.stdout is not None
        for line in self.host.stdout:
            with self.lock:
                self.host_said(json.loads(line))
        status = self.host.wait()
        os._exit(BROKEN.status or (0 if status == 0 else 1))

    def read_client(self) -> None:
        """The client's lines, to the end of its side."""
        while data := os.read(0, 1 << 18):
            for line in self.lines(data):
                with self.lock:
                    self.client_said(line)
        if BROKEN.last is not None and self.held:
            self.to_client(BROKEN.last)
        assert self.host.stdin is not None
        self.host.stdin.close()

    def lines(self, data: bytes) -> list[bytes]:
        if MUTANT.breaks_lines is not None:
            return MUTANT.breaks_lines(data)
        self.held += data
        *lines, self.held = self.held.split(b"\n")
        return lines

    def client_said(self, line: bytes) -> None:
        usual = plain_error("method_not_found", "of nobody")(Turn(line, b"", []))
        turn = Turn(line, usual, list(self.past))
        self.past.append(turn)
        if (said := MUTANT.after(turn)) != usual:
            os.write(1, said)
            return
        line = MUTANT.before(line)
        message = _object(line)
        if message is None:
            self.write(line)
            return
        self.state.sent.append(json.loads(line))
        heard = BROKEN.hears(self.state, message)
        if heard == self.state.sent[-1]:
            self.write(line)
        elif heard is not None:
            self.to_host(heard)

    def host_said(self, message: dict[str, Any]) -> None:
        self.state.said.append(json.loads(json.dumps(message)))
        said = BROKEN.says(self.state, message)
        if said is not None:
            self.to_client(said)
        if BROKEN.last is not None and self.state.method_of(message) == "=shutdown":
            self.to_client(BROKEN.last)

    def to_host(self, message: dict[str, Any]) -> None:
        self.write(json.dumps(message).encode())

    def write(self, line: bytes) -> None:
        assert self.host.stdin is not None
        try:
            self.host.stdin.write(line + b"\n")
            self.host.stdin.flush()
        except (BrokenPipeError, ValueError):
            return

    def to_client(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(1, data) :]


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


if __name__ == "__main__":
    Relay(sys.argv[2:]).run()
