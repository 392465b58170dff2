"""The log of ``flowcage serve`` as JSON."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from .test_serve import DEADLINE_SECONDS, FLOWCAGE, Peer
from .test_serve import path as path


def test_each_line_is_one_object_with_level_and_logger(path: Path) -> None:
    command = [
        *FLOWCAGE,
        "serve",
        "--socket",
        str(path),
        "--handshake-timeout",
        "0.2",
        "--log-format",
        "json",
    ]
    with subprocess.Popen(
        [*command, "--log-format", "json", "--metrics-addr", "0"], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            told = [json.loads(process.stderr.readline()) for _ in range(2)]
            peer = Peer(path)
            assert peer.rest() == b""
            peer.close()
            told.append(json.loads(process.stderr.readline()))
            process.terminate()
            assert process.wait(DEADLINE_SECONDS) == 0
        finally:
            process.kill()
    assert [(each["level"], each["logger"]) for each in told] == [("info", "flowcage.serve")] * 3
    assert [each["message"].split(" ")[0] for each in told] == ["metrics", "serving", "a"]
