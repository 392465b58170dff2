"""What systemd is told, through a socket of its kind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from flowcage.host.serve.service_manager import ServiceManager

from .test_serve import DEADLINE_SECONDS, FLOWCAGE, TRIVIAL, Peer


class Notified:
    """The socket of a service manager."""

    def __init__(self, address: str) -> None:
        self.name = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(DEADLINE_SECONDS)
        self._socket.bind(address.replace("@", "\0", 1))

    def hears(self) -> list[str]:
        """The next datagram, by lines."""
        return self._socket.recv(4096).decode().splitlines()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def notified(request: pytest.FixtureRequest) -> Iterator[Notified]:
    with tempfile.TemporaryDirectory() as folder:
        made = Notified(f"@{folder}" if request.param == "abstract" else f"{folder}/n")
        yield made
        made.close()


def test_a_service_tells_of_its_beginning_and_its_end(notified: Notified) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": notified.name})
    manager.ready("serving\nREADY=0")
    manager.status("two")
    manager.stopping("waits")
    assert [notified.hears() for _ in range(3)] == [
        ["READY=1", "STATUS=serving READY=0"],
        ["STATUS=two"],
        ["STOPPING=1", "STATUS=waits"],
    ]


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "3000000"}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "9" * 400}, None),
    ],
)
def test_a_watchdog_is_that_of_this_process(variables: dict[str, str], seconds: float | None) -> None:
    assert ServiceManager(variables).watchdog_seconds == seconds


def test_the_watchdog_gets_two_signs_of_life_in_its_time(notified: Notified) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": notified.name, "WATCHDOG_USEC": "10000000"})
    clock = trio.testing.MockClock(autojump_threshold=0)

    async def main() -> None:
        with trio.move_on_after(14):
            await manager.keep_alive(lambda: f"at {trio.current_time() - began:g}")

    began = clock.current_time()
    trio.run(main, clock=clock)
    heard = [notified.hears() for _ in range(3)]
    assert [lines[0] for lines in heard] == ["WATCHDOG=1"] * 3
    times = [float(lines[1].removeprefix("STATUS=at ")) for lines in heard]
    assert [round(each - times[0]) for each in times] == [0, 5, 10]


@pytest.mark.parametrize("name", ["", "/nobody/listens/here", "@flowcage-nobody-listens", "vsock:2:1234"])
def test_where_nobody_listens_nothing_happens(name: str) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": name})
    manager.ready("serving")
    manager.status("two")


def test_a_server_tells_systemd_that_it_is_ready_alive_and_ending() -> None:
    with tempfile.TemporaryDirectory() as folder:
        notified, path = Notified(f"{folder}/n"), Path(folder) / "s"
        variables = {**os.environ, "NOTIFY_SOCKET": notified.name, "WATCHDOG_USEC": "60000000"}
        command = [*FLOWCAGE, "serve", "--socket", str(path), "--grace", "0.1"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=variables) as process:
            try:
                heard = [notified.hears(), notified.hears()]
                assert ["READY=1", "STATUS=serving"] in heard
                assert ["WATCHDOG=1", "STATUS=0 connections, 0 with a child"] in heard
                peer = Peer(path)
                peer.ask(*TRIVIAL[0][:1], **TRIVIAL[0][1])  # it is served by the time that it is ready
                peer.close()
                process.send_signal(signal.SIGTERM)
                assert notified.hears() == ["STOPPING=1", "STATUS=waits for open connections"]
                assert process.wait(DEADLINE_SECONDS) == 0
            finally:
                process.kill()
                notified.close()
