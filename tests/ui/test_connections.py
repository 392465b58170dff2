"""Connections to ``flowcage ui`` of whoever can reach its port: none of them is of consequence to another."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import h2.config
import h2.connection
import pytest
import trio
import trio.testing

from flowcage.host.ui.connections import STRANGERS, Connections
from flowcage.host.ui.server import listening

from ..e2e import kept
from ..e2e.command import DEADLINE, FLOWCAGE
from .served import Served, serving

HOST = b"Host: 127.0.0.1\r\n"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "runs.db"
    kept.make(path, "done-a")
    return path


@pytest.fixture(scope="module")
def served(store: Path) -> Iterator[Served]:
    with serving(store) as server:
        yield server


def _connected(served: Served) -> socket.socket:
    port = int(served.origin.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)


def _of_http2(path: bytes, *, body: bool) -> tuple[bytes, ...]:
    config = h2.config.H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False)
    connection = h2.connection.H2Connection(config)
    connection.initiate_connection()
    headers = [(b":method", b"POST"), (b":path", path), (b":scheme", b"http"), (b":authority", b"127.0.0.1")]
    connection.send_headers(1, headers, end_stream=not body)
    begun = connection.data_to_send()
    if body:
        connection.send_data(1, b"x")
    return begun, connection.data_to_send()


_UPGRADE = b"GET / HTTP/1.1\r\n" + HOST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"


@pytest.mark.parametrize(
    "parts",
    [
        (_UPGRADE + b"HTTP2-Settings: A\r\n\r\n",),
        (_UPGRADE + b"HTTP2-Settings: \r\n\r\n", b"\xff" * 50),
        _of_http2(b"/\xff", body=False),
        _of_http2(b"/", body=True),
        (PREFACE + b"\xff" * 50,),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", b"\xff" * 50),
        (b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n",),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n", b"zz\r\n"),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999\r\n\r\n", b"x" * 1_000_000),
        ((b"GET / HTTP/1.1\r\n" + HOST + b"\r\n") * 200,),
        (b"\x16\x03\x01" * 50,),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 100_000,),
    ],
)
def test_whatever_comes_on_one_connection_the_server_goes_on(
    served: Served, parts: tuple[bytes, ...]
) -> None:
    with _connected(served) as connection:
        for part in parts:
            try:
                connection.sendall(part)
                connection.recv(1 << 16)
            except OSError:
                break
    # What the server does about it is done before the connection of the next request is accepted, or soon
    # after: so it is asked more than once.
    for _ in range(5):
        assert served.ask(f"{served.origin}/").status_code == 401
    assert served.process.poll() is None


def test_connections_that_were_not_let_in_give_way_and_others_stay(served: Served) -> None:
    client = served.client()
    with client.events("runs/stream") as events:
        assert next(events)[0] == "runs"
        strangers = [_connected(served) for _ in range(STRANGERS + 20)]
        try:
            assert client.json("runs")["runs"]
            assert strangers[0].recv(1) == b""
            kept.make(Path(served.command[-1]), "done-b")
            assert [each["id"] for each in next(events)[1]["runs"]] == ["done-b"]
        finally:
            for each in strangers:
                each.close()


@pytest.mark.parametrize("sent", [b"", b"GET / HT", PREFACE, b"POST / HTTP/1.1\r\n" + HOST])
def test_a_connection_without_a_request_that_is_let_in_ends_after_seconds(sent: bytes) -> None:
    async def nobody(*_: object) -> None:
        raise AssertionError("there was no request")

    async def main() -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listeners[0].socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, Connections(nobody).answer, listeners)
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(sent or b"\r\n")
                while await stream.receive_some():
                    pass
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.05))


def test_a_port_that_others_exhaust_says_nothing_on_stderr(store: Path) -> None:
    limited: list[str | Path] = [
        "sh",
        "-c",
        'ulimit -n 256; exec "$@"',
        "sh",
        FLOWCAGE,
        "ui",
        "--port",
        "0",
        "--no-open",
    ]
    process = subprocess.Popen([*limited, "--store", store], stderr=subprocess.PIPE)
    assert process.stderr is not None
    port = int(process.stderr.readline().split(b";")[0].rpartition(b":")[2])
    strangers = [socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) for _ in range(400)]
    for each in strangers[:300]:
        assert each.recv(1) == b""
    process.terminate()
    for each in strangers:
        each.close()
    assert process.communicate(timeout=DEADLINE)[1].count(b"\n") == 1  # that a signal ended it


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux has this option")
def test_the_kernel_ends_a_connection_whose_other_end_reads_nothing() -> None:
    with listening("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 20_000
