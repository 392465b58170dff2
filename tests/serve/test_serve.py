"""``flowcage serve``: a real server, real sockets, peers that behave and peers that do not."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from flowcage.host.serve.socket import ListenError, listening

DEADLINE_SECONDS = 300.0
FLOWCAGE = (sys.executable, "-c", "from flowcage.host.cli.entry import main; main()")
OTHER_UID = 12345
TRIVIAL = [
    ("initialize", {"protocolVersion": "1.0"}),
    ("start", {"source": "export default 1"}),
    ("drain", {}),
]


class Peer:
    """One connection, as another language's host makes it."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE_SECONDS)
        self.socket.connect(str(path))
        self._lines = self.socket.makefile("rb")
        self._next = 0

    def ask(self, method: str, **params: Any) -> Any:
        """One request; its reply."""
        self._next += 1
        message = {"jsonrpc": "2.0", "id": self._next, "method": method, "params": params}
        self.socket.sendall(json.dumps(message).encode() + b"\n")
        return json.loads(self._lines.readline())

    def rest(self) -> bytes:
        """All that comes until the other side closes."""
        try:
            return self._lines.read()
        except ConnectionResetError:  # it closed while something of ours was unread
            return b""

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self.socket.close()


class Server:
    """A running ``flowcage serve``."""

    def __init__(self, process: subprocess.Popen[str], path: Path) -> None:
        self.process = process
        self.path = path
        self.is_ending = False
        self._peers: list[Peer] = []

    def peer(self) -> Peer:
        """A new connection."""
        self._peers.append(Peer(self.path))
        return self._peers[-1]

    def hang_up(self) -> None:
        """Close whatever connection is still open."""
        for peer in self._peers:
            peer.close()

    def tell_to_end(self) -> None:
        """SIGTERM, now."""
        self.is_ending = True
        self.process.terminate()

    def says(self) -> str:
        """The next line of its stderr."""
        assert self.process.stderr is not None
        return self.process.stderr.readline()

    def children(self) -> list[psutil.Process]:
        """Its zygote and the children of connections."""
        return psutil.Process(self.process.pid).children(recursive=True)


@contextmanager
def as_user(uid: int) -> Iterator[None]:
    """Act as another user; whoever connects meanwhile is that one's peer."""
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def path() -> Iterator[Path]:
    """Where a socket may be made; pytest's own folders can be longer than a socket's path may be."""
    with tempfile.TemporaryDirectory(dir=_open_to_all()) as folder:
        yield Path(folder) / "s"


def _open_to_all() -> str:
    """A folder whose files other users reach; TMPDIR may be of one user alone."""
    usual = tempfile.gettempdir()
    above = (Path(usual).resolve(), *Path(usual).resolve().parents)
    return usual if all(each.stat().st_mode & stat.S_IXOTH for each in above) else "/tmp"


@contextmanager
def serving(path: Path, *options: str) -> Iterator[Server]:
    """A server that must end well on SIGTERM and leave nothing."""
    command = [*FLOWCAGE, "serve", "--socket", str(path), "--grace", "0.5", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        server = Server(process, path)
        try:
            assert server.says() == "flowcage: serving\n"
            yield server
            children = server.children()
            if not server.is_ending:
                process.terminate()
            assert process.wait(DEADLINE_SECONDS) == 0
        finally:
            server.hang_up()
            process.kill()
    assert psutil.wait_procs(children, DEADLINE_SECONDS)[1] == []
    assert not path.exists()


def test_each_connection_has_a_child_of_its_own(path: Path) -> None:
    with serving(path) as server:
        peers = [server.peer() for _ in range(5)]
        for number, peer in enumerate(peers):
            initialized = peer.ask("initialize", protocolVersion="1.0")["result"]
            assert initialized["isolation"]["seccomp"]["applied"]
            peer.ask("start", source=f"globalThis.n = (globalThis.n ?? 0) + {number}; export default n")
        for number, peer in enumerate(peers):
            assert peer.ask("drain")["result"]["output"] == {"result": number}
            assert peer.ask("shutdown")["result"] == {}
            assert peer.rest() == b""
            peer.close()


def test_replies_come_after_the_peer_closed_its_half(path: Path) -> None:
    with serving(path) as server:
        peer = server.peer()
        for method, params in TRIVIAL[:2]:
            peer.ask(method, **params)
        peer.socket.sendall(b'{"jsonrpc":"2.0","id":9,"method":"drain","params":{}}\n')
        peer.socket.shutdown(socket.SHUT_WR)
        assert json.loads(peer.rest())["result"]["output"] == {"result": 1}
        peer.close()


def test_only_whoever_may_can_connect(path: Path) -> None:
    with serving(path):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_peer_of_another_user_is_turned_away_though_the_mode_would_let_it_in(path: Path) -> None:
    path.parent.chmod(0o755)
    with serving(path, "--mode", "666") as server:
        with as_user(OTHER_UID):
            peer = server.peer()
        assert peer.rest() == b""
        assert server.says() == f"flowcage: a peer of uid {OTHER_UID} was turned away\n"


def test_a_peer_that_says_nothing_is_disconnected(path: Path) -> None:
    with serving(path, "--handshake-timeout", "0.3") as server:
        peer = server.peer()
        assert peer.rest() == b""
        assert "did not initialize" in server.says()
        peer.close()


def test_a_connection_lasts_so_long_and_no_longer(path: Path) -> None:
    with serving(path, "--timeout", "4") as server:
        peer = server.peer()
        peer.ask("initialize", protocolVersion="1.0")
        assert peer.rest() == b""
        assert "was ended after 4 s" in server.says()
        peer.close()


@pytest.mark.parametrize("after", range(4))
def test_a_peer_that_hangs_up_at_any_step_leaves_no_child(path: Path, after: int) -> None:
    with serving(path) as server:
        steps = [*TRIVIAL[:1], ("start", {"source": "for (;;);"})]
        peer = server.peer()
        for method, params in steps[:after]:
            peer.ask(method, **params)
        if after == 3:  # in the middle of a step that would take five seconds
            peer.socket.sendall(b'{"jsonrpc":"2.0","id":9,"method":"drain","params":{}}\n')
        peer.close()
        assert server.peer().ask("initialize", protocolVersion="1.0")["result"]


def test_endless_lines_cost_the_server_nothing_and_other_peers_go_on(path: Path) -> None:
    with serving(path) as server:
        flood, other = server.peer(), server.peer()
        flood.ask("initialize", protocolVersion="1.0")
        block = b"x" * (1 << 20)
        for _ in range(300):
            flood.socket.sendall(block)
        assert other.ask("initialize", protocolVersion="1.0")["result"]
        assert all(process.memory_info().rss < 200 << 20 for process in server.children())
        flood.socket.sendall(b"\n")
        assert json.loads(flood._lines.readline())["error"]["data"]["kind"] == "message_too_large"


def test_a_child_that_is_killed_is_the_end_of_its_connection_alone(path: Path) -> None:
    with serving(path) as server:
        peers = [server.peer(), server.peer()]
        before = {process.pid for process in server.children()}
        peers[0].ask("initialize", protocolVersion="1.0")
        mine = {process.pid for process in server.children()} - before or before
        for pid in mine:
            if b"Seccomp:\t2" in Path(f"/proc/{pid}/status").read_bytes():
                os.kill(pid, signal.SIGKILL)
        assert peers[0].rest() == b""
        assert peers[1].ask("initialize", protocolVersion="1.0")["result"]


def test_a_child_that_ends_by_a_signal_without_a_name_is_told_and_other_peers_go_on(path: Path) -> None:
    with serving(path) as server:
        peer = server.peer()
        peer.ask("initialize", protocolVersion="1.0")
        for process in server.children():
            if b"Seccomp:\t2" in Path(f"/proc/{process.pid}/status").read_bytes():
                process.send_signal(40)
        assert peer.rest() == b""
        assert server.says() == "flowcage: a child was ended by signal 40\n"
        assert server.peer().ask("initialize", protocolVersion="1.0")["result"]


def test_further_peers_wait_until_there_is_room(path: Path) -> None:
    with serving(path, "--max-connections", "1") as server:
        first, second = server.peer(), server.peer()
        first.ask("initialize", protocolVersion="1.0")
        second.socket.sendall(
            b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"1.0"}}\n'
        )
        assert select.select([second.socket], [], [], 0.3) == ([], [], [])
        first.close()
        assert json.loads(second._lines.readline())["result"]


def test_hundreds_that_come_at_once_wait_and_are_not_turned_away(path: Path) -> None:
    most = int(Path("/proc/sys/net/core/somaxconn").read_text())
    with serving(path, "--max-connections", "1"), ExitStack() as stack:
        for _ in range(min(400, most)):
            peer = stack.enter_context(socket.socket(socket.AF_UNIX))
            peer.setblocking(False)  # as the clients' event loops have it: a full queue is EAGAIN
            peer.connect(str(path))


def test_open_connections_have_their_grace_when_the_server_is_told_to_end(path: Path) -> None:
    with serving(path, "--grace", "60") as server:
        peer = server.peer()
        peer.ask("initialize", protocolVersion="1.0")
        server.tell_to_end()
        peer.ask("start", source="export default 1")
        assert peer.ask("drain")["result"]["output"] == {"result": 1}
        peer.close()


def test_whoever_comes_in_the_grace_is_refused_and_the_next_server_may_begin(path: Path) -> None:
    with serving(path, "--grace", "60") as server:
        peer = server.peer()
        peer.ask("initialize", protocolVersion="1.0")
        server.tell_to_end()
        deadline = time.monotonic() + DEADLINE_SECONDS
        while path.exists():
            assert time.monotonic() < deadline
        with serving(path) as next_server:
            assert next_server.peer().ask("initialize", protocolVersion="1.0")["result"]
        peer.close()


def test_connections_are_ended_when_their_grace_is_over(path: Path) -> None:
    with serving(path, "--grace", "0.2") as server:
        peer = server.peer()
        peer.ask("initialize", protocolVersion="1.0")
        server.tell_to_end()
        assert peer.rest() == b""
        peer.close()


def test_a_server_whose_zygote_is_killed_goes_on(path: Path) -> None:
    with serving(path) as server:
        server.peer().ask("initialize", protocolVersion="1.0")
        for process in server.children():
            if b"Seccomp:\t0" in Path(f"/proc/{process.pid}/status").read_bytes():
                process.kill()
        assert server.peer().ask("initialize", protocolVersion="1.0")["result"]


def refused(*options: str) -> str:
    """What a server says that cannot start."""
    done = subprocess.run(
        [*FLOWCAGE, "serve", *options],
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("flowcage: ")
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_path_that_is_no_socket_is_left_alone(path: Path) -> None:
    path.write_text("precious")
    assert "exists and is no socket" in refused("--socket", str(path))
    assert path.read_text() == "precious"


def test_a_socket_that_somebody_listens_on_is_left_alone(path: Path) -> None:
    with serving(path) as server:
        assert "another server is listening" in refused("--socket", str(path))
        assert server.peer().ask("initialize", protocolVersion="1.0")["result"]


def test_a_socket_that_nobody_listens_on_any_more_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    with serving(path) as server:
        assert server.peer().ask("initialize", protocolVersion="1.0")["result"]


def test_a_socket_that_cannot_be_removed_is_told(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    path.parent.chmod(0o500)
    try:
        if os.access(path.parent, os.W_OK):
            pytest.skip("root may remove whatever it likes")
        assert "cannot be removed (Permission denied)" in refused("--socket", str(path))
    finally:
        path.parent.chmod(0o700)


class Swapped(socket.socket):
    """A socket in whose place, right after it was made, somebody puts a link to a file of his choice."""

    victim = Path()

    def bind(self, address: Any) -> None:
        super().bind(address)
        os.unlink(address)
        os.symlink(self.victim, address)


def test_what_takes_the_place_of_a_new_socket_is_neither_changed_nor_removed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = path.with_name("victim")
    victim.touch(0o640)
    monkeypatch.setattr(Swapped, "victim", victim)
    monkeypatch.setattr(socket, "socket", Swapped)
    with pytest.raises(ListenError, match="was replaced by another file"), listening(path, 0o666):
        raise AssertionError
    assert stat.S_IMODE(victim.stat().st_mode) == 0o640
    assert path.is_symlink()


def test_a_folder_that_is_replaced_meanwhile_loses_nothing(path: Path) -> None:
    old, new = path.with_name("old"), path.with_name("folder")
    new.mkdir()
    with listening(new / "s", 0o600):
        new.rename(old)
        new.mkdir()
        (new / "s").write_text("precious")
    assert (new / "s").read_text() == "precious"
    assert not (old / "s").exists()


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666, 0o777])
def test_a_socket_has_its_mode_from_the_moment_that_it_is_there(path: Path, mode: int) -> None:
    before = os.umask(0o027)
    try:
        with listening(path, mode):
            assert stat.S_IMODE(path.stat().st_mode) == mode
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)


def test_a_socket_that_has_taken_the_place_of_ours_is_left_alone(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as another:
        with listening(path, 0o600):
            path.unlink()
            another.bind(str(path))
        assert path.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_socket_of_another_user_is_left_alone(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    os.chown(path, 12345, 12345)
    assert "is a socket of another user (uid 12345)" in refused("--socket", str(path))
    assert path.exists()


def test_a_path_that_no_socket_can_have_is_refused() -> None:
    assert "longer than the 107 bytes" in refused("--socket", f"/tmp/{'x' * 120}")
    assert "no socket can be made there" in refused("--socket", "/no/such/folder/s")


def test_wrong_options_are_refused(path: Path) -> None:
    assert "expected three octal digits" in refused("--socket", str(path), "--mode", "rw")
    assert "name one with --socket" in refused()


ACTIVATE = """
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.executable, [sys.executable, "-c", "from flowcage.host.cli.entry import main; main()", "serve"])
"""


def test_a_socket_that_is_handed_over_is_served(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ACTIVATE, str(path)], stderr=subprocess.PIPE, text=True
    ) as process:
        server = Server(process, path)
        assert server.says() == "flowcage: serving\n"
        peer = server.peer()
        assert peer.ask("initialize", protocolVersion="1.0")["result"]
        peer.close()
        process.terminate()
        assert process.wait(DEADLINE_SECONDS) == 0
    assert path.exists()  # it is not ours to remove


def test_what_is_handed_over_must_be_a_listening_socket() -> None:
    handed = ACTIVATE.replace("listener.listen()\n", "").replace("listener.bind(sys.argv[1])\n", "")
    done = subprocess.run(
        [sys.executable, "-c", handed], capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False
    )
    assert (done.returncode, "is no listening Unix stream socket" in done.stderr) == (2, True), done.stderr
