"""What operators of ``flowcage ui`` have: metrics under an address, and word to systemd."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from ..e2e.command import DEADLINE, FLOWCAGE
from ..metrics.test_exposed import scraped
from ..metrics.test_prometheus import value
from .served import serving

_METRICS = re.compile(r"metrics at (\S+)")


def test_the_pages_show_their_requests_as_metrics(tmp_path: Path) -> None:
    with serving(tmp_path / "runs.db", "--metrics-addr", "0") as served:
        found = _METRICS.search(served.said)
        assert found is not None
        assert served.ask(f"{served.origin}/nothing").status_code >= 400
        client = served.client()
        client.json("runs")
        samples = scraped(found[1])
        deadline = time.monotonic() + DEADLINE
        while value(samples, "flowcage_ui_requests_open") and time.monotonic() < deadline:
            samples = scraped(found[1])  # counted when its answer was sent: a client may be faster
    answered = {
        dict(labels)["status"]: count for (name, labels), count in samples.items() if "ui_requests_t" in name
    }
    assert answered["200"] >= 1
    assert sum(count for status, count in answered.items() if status >= "400") == 1
    assert value(samples, "flowcage_ui_requests_open") == 0
    assert value(samples, "flowcage_ui_request_seconds_count") == sum(answered.values())


def test_systemd_is_told_when_the_pages_are_served_and_that_they_end(tmp_path: Path) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified,
    ):
        notified.settimeout(DEADLINE)
        notified.bind(f"{folder}/n")
        variables = {"NOTIFY_SOCKET": f"{folder}/n", "WATCHDOG_USEC": "60000000"}
        with serving(tmp_path / "runs.db", env=variables) as served:
            heard = {notified.recv(4096) for _ in range(2)}
            assert heard == {
                f"READY=1\nSTATUS=serving {served.origin}".encode(),
                b"WATCHDOG=1\nSTATUS=0 requests at work",
            }
            served.end(signal.SIGTERM)
        assert notified.recv(4096) == b"STOPPING=1\nSTATUS=ends"


def test_the_log_of_the_pages_is_json_where_that_is_asked_for(tmp_path: Path) -> None:
    command: list[str | Path] = [FLOWCAGE, "ui", "--port", "0", "--no-open", "--store", tmp_path / "runs.db"]
    with subprocess.Popen([*command, "--log-format", "json"], stderr=subprocess.PIPE) as process:
        try:
            assert process.stderr is not None
            told = json.loads(process.stderr.readline())
            process.send_signal(signal.SIGTERM)
            process.wait(DEADLINE)
        finally:
            process.kill()
    assert (told["logger"], told["level"]) == ("flowcage.ui", "info")
    assert told["message"].startswith("serving http://127.0.0.1:")
