"""``flowcage serve`` and peers that ask for more than they may have: the server decides."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
import trio

from flowcage.host.process.launch.zygote import Zygote
from flowcage.host.serve import server as serve
from flowcage.host.serve.socket import listening
from flowcage.protocol.layers import STRICT_LAYERS
from flowcage.protocol.limits import MIB
from flowcage.protocol.terms import Terms, ceilings

from .test_serve import DEADLINE_SECONDS, OTHER_UID, Peer, Server, as_user, path, refused, serving

__all__ = ["path"]

ENDLESS = 2**53 - 1
GREEDY = {
    "memoryBytes": 20 << 30,
    "stackBytes": 4 * MIB,  # more counts as 4 MiB
    "stepTimeoutMs": 10**9,
    "cpuSeconds": 10**9,
    "addressSpaceBytes": 40 << 30,
    "maxSleepMs": ENDLESS,
    "maxMessageBytes": 1 << 40,
    "maxPendingRequests": 10**9,
    "maxQueuedBytes": 1 << 40,
}


def child_of(server: Server) -> psutil.Process:
    """The only child of a connection: the zygote is the process that was there first."""
    _zygote, child = sorted(server.children(), key=lambda process: process.create_time())
    return child


def limit_of(process: psutil.Process, name: str) -> tuple[str, str]:
    """Soft and hard, as the kernel has them."""
    for line in Path(f"/proc/{process.pid}/limits").read_text().splitlines():
        if line.startswith(f"Max {name}"):
            soft, hard, *_ = line.removeprefix(f"Max {name}").split()
            return soft, hard
    raise AssertionError(name)


def status_of(process: psutil.Process) -> str:
    return Path(f"/proc/{process.pid}/status").read_text()


@pytest.mark.parametrize("weaker", ["none", "best_effort"])
def test_a_peer_that_asks_for_a_weaker_isolation_has_a_strict_one(path: Path, weaker: str) -> None:
    with serving(path) as server:
        peer = server.peer()
        result = peer.ask("initialize", protocolVersion="1.0", isolation=weaker)["result"]
        assert all(result["isolation"][layer]["applied"] for layer in STRICT_LAYERS)
        status = status_of(child_of(server))
        assert "Seccomp:\t2" in status
        assert "CapEff:\t0000000000000000" in status
        uid = os.geteuid()
        assert server.says() == (
            f"flowcage: a peer of uid {uid} asked for isolation {weaker}, raised to strict\n"
        )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_peer_of_another_user_has_no_child_that_is_root_and_none_without_a_cage(path: Path) -> None:
    path.parent.chmod(0o755)
    with serving(path, "--mode", "666", "--allow-uid", str(OTHER_UID)) as server:
        with as_user(OTHER_UID):
            peer = server.peer()
        peer.ask("initialize", protocolVersion="1.0", isolation="none")
        status = status_of(child_of(server))
        assert "Uid:\t0" not in status
        assert "Seccomp:\t2" in status
        assert server.says().startswith(f"flowcage: a peer of uid {OTHER_UID} asked for isolation none")


def test_limits_are_lowered_to_the_ceilings_and_the_reply_and_the_log_say_so(path: Path) -> None:
    with serving(path) as server:
        peer = server.peer()
        usual = server.peer().ask("initialize", protocolVersion="1.0")["result"]
        result = peer.ask("initialize", protocolVersion="1.0", limits=GREEDY)["result"]
        most = ceilings({}).to_wire()
        assert result["limits"] == most
        assert result["maxMessageBytes"] == usual["maxMessageBytes"]
        assert all(usual["limits"][name] <= most[name] for name in most)
        said = server.says()
        assert said.startswith(f"flowcage: a peer of uid {os.geteuid()} asked for memoryBytes {20 << 30}, ")
        assert all(f"{name} {value}, lowered to {most[name]}" in said for name, value in GREEDY.items())


def test_what_a_peer_may_have_it_has_and_nothing_is_said(path: Path) -> None:
    modest = {"memoryBytes": 64 * MIB, "cpuSeconds": 7, "stepTimeoutMs": 900, "addressSpaceBytes": 300 * MIB}
    more = {"memoryBytes": 500 * MIB, "cpuSeconds": 600}
    options = [f"--max-limit={name}={value}" for name, value in more.items()]
    with serving(path, *options, "--max-connections", "1") as server:
        for asked in (modest, more):
            peer = server.peer()
            limits = peer.ask("initialize", protocolVersion="1.0", limits=asked)["result"]["limits"]
            assert asked == {name: limits[name] for name in asked}
            peer.close()
        server.peer().ask("initialize", protocolVersion="1.0", isolation="none")
        assert "asked for isolation none" in server.says()  # the first line since it began to serve


def test_the_kernel_holds_a_child_to_the_ceilings_before_its_peer_has_finished_a_line(path: Path) -> None:
    options = ["--max-limit=memoryBytes=100000000", "--max-limit=cpuSeconds=9"]
    with serving(path, *options) as server:
        peer = server.peer()
        peer.ask("no such method")
        child = child_of(server)
        ceiling = str(100_000_000 + 320 * MIB)
        assert limit_of(child, "address space") == (ceiling, ceiling)
        assert int(limit_of(child, "cpu time")[1]) < 15


def test_a_ceiling_on_messages_holds_from_the_first_line_on(path: Path) -> None:
    with serving(path, "--max-limit=maxMessageBytes=1000") as server:
        peer = server.peer()
        assert peer.ask("initialize", protocolVersion="x" * 1000)["error"]["data"] == {
            "kind": "message_too_large",
            "limit": 1000,
        }
        assert peer.ask("initialize", protocolVersion="1.0")["result"]["maxMessageBytes"] == 1000


@pytest.mark.parametrize(("asked", "filtered"), [("none", "0"), ("strict", "2"), (None, "2")])
def test_where_the_server_lets_peers_do_without_a_cage_they_still_have_ceilings(
    path: Path, asked: str | None, filtered: str
) -> None:
    wish: dict[str, Any] = {} if asked is None else {"isolation": asked}
    with serving(path, "--isolation", "none") as server:
        peer = server.peer()
        result = peer.ask("initialize", protocolVersion="1.0", limits=GREEDY, **wish)["result"]
        assert result["limits"]["memoryBytes"] == ceilings({}).memory_bytes
        child = child_of(server)
        assert f"Seccomp:\t{filtered}" in status_of(child)
        assert int(limit_of(child, "address space")[1]) <= ceilings({}).address_space_bytes
        assert limit_of(child, "cpu time")[1] != "unlimited"


def test_a_child_without_a_cage_outlives_the_time_for_the_handshake_that_is_over(path: Path) -> None:
    with serving(path, "--isolation", "none", "--handshake-timeout", "3") as server:
        peer = server.peer()
        assert peer.ask("initialize", protocolVersion="1.0", isolation="none")["result"]
        peer.ask("start", source="export default SW.extra.sleep(1)")
        peer.socket.settimeout(4)
        with pytest.raises(TimeoutError):
            peer.socket.recv(1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--max-limit", "memoryByte=1"],
            "--max-limit: there is no limit 'memoryByte'; there are memoryBytes, ",
        ),
        (["--max-limit", "cpuSeconds"], "--max-limit cpuSeconds: expected NAME=N, such as"),
        (["--max-limit", "cpuSeconds=-1"], "--max-limit cpuSeconds=-1: expected NAME=N"),
        (["--max-limit", "cpuSeconds=0"], "--max-limit: cpuSeconds must be a whole number from 1 to"),
        (["--max-limit", f"cpuSeconds={'9' * 50}"], "expected NAME=N"),
        (["--max-connections", "1", "--allow-uid", "0", "--allow-uid", "1"], "one for each --allow-uid"),
    ],
)
def test_ceilings_that_make_no_sense_are_refused(path: Path, options: list[str], message: str) -> None:
    assert message in refused("--socket", str(path), *options)


class Liar(Zygote):
    """Has a process without a cage take the place of each child; it leaves this note."""

    def __init__(self, note: bytes) -> None:
        super().__init__()
        self.note = note
        self.pids: list[int] = []

    async def fork(self, descriptors: tuple[int, int, int], _line: bytes = b"") -> tuple[int, int]:
        """Start it."""
        code = f"import os; os.write(2, {self.note!r}); os.read(0, 1); os.read(0, 1)"
        stdin, stdout, stderr = descriptors
        pid = os.posix_spawn(  # noqa: ASYNC221 - it does not wait
            sys.executable,
            [sys.executable, "-I", "-S", "-c", code],
            {},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, stdin, 0),
                (os.POSIX_SPAWN_DUP2, stdout, 1),
                (os.POSIX_SPAWN_DUP2, stderr, 2),
            ],
        )
        self.pids.append(pid)
        return pid, 0


@pytest.mark.parametrize(
    ("note", "why"),
    [
        (b'{"isolation":null,"lowered":{}}\n', "the kernel does not confirm"),
        (b'{"isolation":null,"lowered":{"\\u001b[2J":1}}\n', "a note names limits"),
        (b"x" * 5000 + b"\n", "x" * 2000),
        (b"flowcage-child: internal error\nmore", "its note: flowcage-child: internal error"),
        (b"", "did not initialize"),
    ],
)
def test_a_child_that_lies_about_its_cage_is_ended_and_what_it_says_is_bounded(
    path: Path, note: bytes, why: str
) -> None:
    said: list[str] = []
    liar = Liar(note)

    async def test(listener: socket.socket) -> None:
        server = serve.Server(
            listener,
            serve.ServeLimits(5, 5, 300.0 if note else 1.0, 300.0, 0.1),
            Terms("strict", ceilings({})),
            None,
            said.append,
        )
        server._zygote = liar
        with trio.fail_after(DEADLINE_SECONDS):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(server.run)
                peer = Peer(path)
                peer.socket.sendall(b"x")
                assert await trio.to_thread.run_sync(peer.rest) == b""
                peer.close()
                server.stop()

    with listening(path, 0o600) as listener:
        trio.run(test, listener)
    assert not any(map(psutil.pid_exists, liar.pids))
    assert liar.pids
    (told,) = said
    assert len(told) < 3_000
    assert why in told
