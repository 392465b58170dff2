"""``flowcage serve`` and crowds: peers that hang up, that wait, that flood; and nobody who reads its log."""

from __future__ import annotations

import os
import re
import resource
import select
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pytest
import trio
import trio.testing

from flowcage.host.process.launch.zygote import Zygote
from flowcage.host.serve import server as serve
from flowcage.host.serve.hangups import HangUps, has_hung_up
from flowcage.host.serve.socket import listening
from flowcage.protocol.terms import Terms, ceilings

from .test_serve import DEADLINE_SECONDS, FLOWCAGE, OTHER_UID, Peer, as_user, path, serving

__all__ = ["path"]

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


class Counting(Zygote):
    """Counts what it forks."""

    forks = 0

    async def fork(self, descriptors: tuple[int, int, int], line: bytes = b"") -> tuple[int, int]:
        """Count it, too."""
        self.forks += 1
        return await super().fork(descriptors, line)


def forks_for(path: Path, come: Callable[[], Awaitable[None]], crowd: Callable[[], None]) -> int:
    """How many children a server forks that finds a crowd waiting, and then serves somebody else."""
    counting = Counting(terms=Terms("strict", ceilings({})))

    async def test(listener: socket.socket) -> None:
        limits = serve.ServeLimits(4, 100, DEADLINE_SECONDS, DEADLINE_SECONDS, 0.1)
        server = serve.Server(listener, limits, Terms("strict", ceilings({})), None, print)
        server._zygote = counting
        with trio.fail_after(DEADLINE_SECONDS):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(server.run)
                await come()
                server.stop()

    with listening(path, 0o600) as listener:
        crowd()
        trio.run(test, listener)
    return counting.forks


@pytest.mark.parametrize("said", [b"", b"x", b'{"jsonrpc":"2.0","id":1,"method":"initialize"}\n'])
def test_nothing_is_forked_for_peers_that_hang_up_at_once(path: Path, said: bytes) -> None:
    def crowd() -> None:
        for _ in range(300):
            with socket.socket(socket.AF_UNIX) as peer:
                peer.connect(str(path))
                peer.sendall(said)

    async def come() -> None:
        def ask() -> None:
            peer = Peer(path)
            assert peer.ask("initialize", protocolVersion="1.0")["result"]
            peer.close()

        await trio.to_thread.run_sync(ask)

    assert forks_for(path, come, crowd) == 1


def test_nothing_is_forked_for_a_peer_that_has_not_said_anything(path: Path) -> None:
    with serving(path, "--max-connections", "1") as server:
        silent = [server.peer() for _ in range(50)]
        assert server.peer().ask("initialize", protocolVersion="1.0")["result"]
        assert len(server.children()) == 2  # one of them the zygote
        assert silent[0].socket.send(b"x") == 1


def test_a_peer_that_closes_its_half_before_it_has_said_anything_is_disconnected(path: Path) -> None:
    with serving(path) as server:
        peer = server.peer()
        peer.socket.shutdown(socket.SHUT_WR)
        assert peer.rest() == b""
        assert not server.children()


@AS_ROOT
def test_a_user_who_has_used_up_its_share_is_turned_away_and_the_others_are_served(path: Path) -> None:
    path.parent.chmod(0o755)
    options = ["--max-connections", "4", "--max-waiting", "2"]
    users = ["--mode", "666", "--allow-uid", "0", "--allow-uid", str(OTHER_UID)]
    with serving(path, *options, *users) as server:
        with as_user(OTHER_UID):
            flood = [server.peer() for _ in range(4)]
        assert flood[3].rest() == b""
        assert server.says() == (
            f"flowcage: a peer of uid {OTHER_UID} was turned away: 3 of its connections are open\n"
        )
        for peer in flood[:2]:
            assert peer.ask("initialize", protocolVersion="1.0")["result"]
        flood[2].socket.sendall(b"x")  # it waits for a child, and nobody else waits for it
        for _ in range(2):
            assert server.peer().ask("initialize", protocolVersion="1.0")["result"]


@AS_ROOT
def test_a_peer_that_leaves_while_it_waits_makes_room(path: Path) -> None:
    path.parent.chmod(0o755)
    options = ["--max-connections", "2", "--max-waiting", "2"]
    with serving(path, *options, "--allow-uid", "0", "--allow-uid", str(OTHER_UID)) as server:
        first, second = server.peer(), server.peer()
        first.ask("initialize", protocolVersion="1.0")
        second.socket.sendall(b"x")
        assert server.peer().rest() == b""
        assert "2 of its connections are open" in server.says()
        second.close()
        while (peer := server.peer()) and select.select([peer.socket], [], [], 0.1)[0]:
            assert peer.rest() == b""  # turned away: the other one's end has not been seen yet
        first.close()
        assert peer.ask("initialize", protocolVersion="1.0")["result"]


def test_peers_that_wait_leave_descriptors_to_those_who_have_a_turn(path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as stack:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        try:
            server = stack.enter_context(serving(path, "--max-waiting", "150", "--handshake-timeout", "600"))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(100):
            server.peer()
        assert server.peer().ask("initialize", protocolVersion="1.0")["result"]


def test_a_server_that_may_have_too_few_descriptors_says_so(path: Path) -> None:
    command = ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh", *FLOWCAGE, "serve", "--socket", str(path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert "only 64 descriptors are allowed (ulimit -n)" in process.stderr.readline()
            assert process.stderr.readline() == "flowcage: serving\n"
        finally:
            process.terminate()
    assert process.returncode == 0


def test_a_hang_up_is_told_once_and_a_closed_half_is_none() -> None:
    async def test() -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX)
        with ours, theirs, HangUps() as hang_ups:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(hang_ups.run)
                with hang_ups.watching(ours) as gone:
                    theirs.sendall(b"x")
                    theirs.shutdown(socket.SHUT_WR)
                    await trio.testing.wait_all_tasks_blocked(0.05)
                    assert not gone.is_set()
                    assert not has_hung_up(ours)
                    theirs.close()
                    with trio.fail_after(DEADLINE_SECONDS):
                        await gone.wait()
                    assert has_hung_up(ours)
                    await trio.testing.wait_all_tasks_blocked(0.05)  # it does not spin
                nursery.cancel_scope.cancel()

    trio.run(test)


@contextmanager
def full_pipe() -> Iterator[int]:
    """A pipe that takes nothing and is never read."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writing, True)
    yield writing
    os.close(reading)
    os.close(writing)


def test_a_server_whose_log_nobody_reads_serves_and_ends(path: Path) -> None:
    command = [*FLOWCAGE, "serve", "--socket", str(path), "--grace", "0.5"]
    with full_pipe() as unread, subprocess.Popen(command, stderr=unread) as process:
        try:
            wait_for(path)
            for _ in range(3):
                peer = Peer(path)
                assert peer.ask("initialize", protocolVersion="1.0", isolation="none")["result"]
                peer.close()
            children = psutil.Process(process.pid).children()
            process.terminate()
            assert process.wait(DEADLINE_SECONDS) == 0
        finally:
            process.kill()
    assert psutil.wait_procs(children, DEADLINE_SECONDS)[1] == []


def wait_for(path: Path) -> None:
    """Return when somebody listens there; such a server cannot say so."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(path))
            return
    raise AssertionError(path)


@AS_ROOT
def test_peers_cannot_fill_a_disk_with_the_log(path: Path) -> None:
    path.parent.chmod(0o755)
    with serving(path, "--mode", "666") as server:
        with as_user(OTHER_UID):
            for _ in range(1000):
                server.peer().close()
        assert server.peer().ask("initialize", protocolVersion="1.0")["result"]
        server.tell_to_end()
        assert server.process.stderr is not None
        lines = server.process.stderr.read().splitlines()
    turned_away = [line for line in lines if line.endswith("was turned away")]
    assert 500 < len(turned_away) < 1000
    left_out = re.findall(r"^flowcage: (\d+) lines left out: more than 600 a minute$", "\n".join(lines), re.M)
    assert sum(map(int, left_out)) + len(turned_away) == 1000
