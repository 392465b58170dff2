"""An HTTP server on a loopback port, in threads, whose answers are told to it step by step."""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, TypeAlias

# For events that come unless something is broken.
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Request:
    """What a client sent.

    Attributes:
        method, path: as they were on the wire; the path with its query.
        headers: by name in lower case.
        content: the body.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        """The JSON of the body; an empty object where it has none."""
        return json.loads(self.content) if self.content else {}


@dataclass(frozen=True)
class Hang:
    """In place of a piece of a body: nothing comes until the client hangs up."""


@dataclass(frozen=True)
class Cut:
    """In place of a piece of a body: the connection ends, by a reset where `hard`."""

    hard: bool = False


@dataclass(frozen=True)
class Gate:
    """In place of a piece of a body: what follows waits until `event` is set, or the client hangs up."""

    event: threading.Event


@dataclass(frozen=True)
class Pause:
    """In place of a piece of a body: what follows waits so many seconds, unless the client hangs up."""

    seconds: float


Piece: TypeAlias = bytes | Hang | Cut | Gate | Pause


@dataclass(frozen=True)
class Answer:
    """What the server writes: one write for each piece of the body.

    A body of several pieces is chunked, so that its end is told from a cut.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: Sequence[Piece] = ()

    def cut(self, after: int, *, hard: bool = False) -> Answer:
        """The same, but the connection ends after so many pieces."""
        return replace(self, pieces=(*self.pieces[:after], Cut(hard)))

    def hang(self, after: int) -> Answer:
        """The same, but nothing comes after so many pieces."""
        return replace(self, pieces=(*self.pieces[:after], Hang()))

    def gate(self, after: int, event: threading.Event) -> Answer:
        """The same, but what comes after so many pieces waits for an event."""
        return replace(self, pieces=(*self.pieces[:after], Gate(event), *self.pieces[after:]))

    def drip(self, seconds: float, size: int = 1) -> Answer:
        """The same in small pieces with pauses between them."""
        content = b"".join(piece for piece in self.pieces if isinstance(piece, bytes))
        pieces: list[Piece] = []
        for at in range(0, len(content), size):
            pieces += [content[at : at + size], Pause(seconds)]
        return replace(self, pieces=tuple(pieces))


# Says what to answer to a request.
Step: TypeAlias = Answer | Callable[[Request], Answer]


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer of JSON in one piece."""
    return Answer(
        status, {"content-type": "application/json", **(headers or {})}, (json.dumps(value).encode(),)
    )


class Server:
    """A server for the time of a ``with`` block.

    Args:
        usual: answers what no step of the script is for.
        is_scripted: whether a request takes the next step of the script; by default any request with a body.
        tls: speaks TLS with this context.

    Attributes:
        requests: all that came, in their order.
        faults: what went wrong in the server itself.
        connections: how many were accepted.
    """

    def __init__(
        self,
        usual: Callable[[Request], Answer],
        *,
        is_scripted: Callable[[Request], bool] = lambda request: request.method == "POST",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.requests: list[Request] = []
        self.faults: list[BaseException] = []
        self.connections = 0
        self._usual = usual
        self._is_scripted = is_scripted
        self._script: list[Step] = []
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        self._http = _Http(self, tls)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        scheme = "https" if self._http.tls else "http"
        return f"{scheme}://127.0.0.1:{self._http.server_address[1]}"

    def then(self, *steps: Step) -> Self:
        """Answer the next requests by these steps, one each; after them come the usual answers."""
        with self._changed:
            self._script += steps
        return self

    def always(self, step: Callable[[Request], Answer]) -> Self:
        """Answer every request that has no step by this one."""
        self._usual = step
        return self

    def wait_for_requests(self, count: int) -> list[Request]:
        """Wait until so many requests have come, and return all of them."""
        self._wait_until(lambda: len(self.requests) >= count, f"{count} requests")
        return self.requests

    def wait_until_idle(self) -> None:
        """Wait until no connection is open."""
        self._wait_until(lambda: not self._open, "the end of all connections")

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return len(self._open)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        with self._changed:
            for connection in self._open:
                _shut(connection)
        self._http.server_close()
        self._thread.join(PATIENCE_S)
        if kind is None and self.faults:
            raise self.faults[0]

    def _wait_until(self, reached: Callable[[], bool], what: str) -> None:
        with self._changed:
            if not self._changed.wait_for(reached, PATIENCE_S):
                raise TimeoutError(
                    f"{what}: {len(self.requests)} came, {len(self._open)} connections are open"
                )

    # The handlers call these, each in its thread.

    def opened(self, connection: socket.socket) -> None:
        with self._changed:
            self._open.add(connection)
            self.connections += 1

    def closed(self, connection: socket.socket) -> None:
        with self._changed:
            self._open.discard(connection)
            self._changed.notify_all()

    def answer(self, request: Request) -> Answer:
        with self._changed:
            self.requests.append(request)
            scripted = bool(self._script) and self._is_scripted(request)
            step = self._script.pop(0) if scripted else self._usual
            self._changed.notify_all()
        return step if isinstance(step, Answer) else step(request)


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, owner: Server, tls: ssl.SSLContext | None) -> None:
        self.owner, self.tls = owner, tls
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):  # a client may hang up at any time
            self.owner.faults.append(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http
    _tracked: socket.socket

    def setup(self) -> None:
        self._tracked = self.request
        self.server.owner.opened(self._tracked)
        if self.server.tls is not None:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self) -> None:
        try:
            super().handle()
        finally:
            if self.server.tls is not None:
                self.request.close()  # the socket below it was given away
            self.server.owner.closed(self._tracked)

    def log_message(self, format: str, *args: Any) -> None:
        """Tests read `Server.requests` instead."""

    def do_POST(self) -> None:
        content = self._content()
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._write(self.server.owner.answer(Request(self.command, self.path, headers, content)))

    do_GET = do_HEAD = do_PUT = do_DELETE = do_POST

    def _content(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        content = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def _write(self, answer: Answer) -> None:
        whole = answer.pieces[0] if len(answer.pieces) == 1 else b"" if not answer.pieces else None
        if isinstance(answer.pieces[0] if answer.pieces else None, Cut | Hang):
            self._act(answer.pieces[0])
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if isinstance(whole, bytes):
            self.send_header("content-length", str(len(whole)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else whole)
            return
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for piece in answer.pieces:
            if not self._act(piece):
                return
        self.wfile.write(b"0\r\n\r\n")

    def _act(self, piece: Piece) -> bool:
        """Carry one piece out, and say whether the connection goes on."""
        match piece:
            case bytes():
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                return True
            case Gate(event):
                while not event.wait(0.02):
                    if self._has_hung_up(0):
                        break
                return event.is_set()
            case Pause(seconds):
                return not self._has_hung_up(seconds)
            case Hang():
                self._has_hung_up(None)
            case Cut(hard):
                if hard:
                    linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        if not (isinstance(piece, Cut) and piece.hard):
            _shut(self.connection)
        return False

    def _has_hung_up(self, seconds: float | None) -> bool:
        """Whether the client closes its end within so many seconds; None waits for it."""
        before = self.connection.gettimeout()
        self.connection.settimeout(max(seconds, 0.001) if seconds is not None else None)
        try:
            return not self.connection.recv(1 if isinstance(self.connection, ssl.SSLSocket) else 4096)
        except TimeoutError:
            return False
        except OSError:
            return True
        finally:
            self.connection.settimeout(before)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        """It is closed already."""
