"""Who is let in over HTTP; clients that send what is no message, read nothing, or die."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from mcp.shared.exceptions import MCPError
from trio.testing import MockClock

from flowcage.host.cli.mcp.flight import AT_ONCE, BUSY
from flowcage.host.cli.mcp.http.body import bounded
from flowcage.host.cli.mcp.http.door import AT_ONCE as MESSAGES
from flowcage.host.cli.mcp.stdio import MESSAGE_BYTES
from flowcage.host.ui.api.answering import BODY_SECONDS

from ..e2e.command import DEADLINE, flowcage
from .client import OF_CLIENT, Asking, Listening, command, connected, end_all, listening
from .test_streams import INITIALIZE, SLEEPS

pytestmark = OF_CLIENT
ACCEPT = {"accept": "application/json, text/event-stream"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("folder")
    yield path
    end_all(path / "runs.db")


@pytest.fixture(name="server", scope="module")
def served_for_all(folder: Path) -> Iterator[Listening]:
    with listening(folder) as served:
        yield served


def ask(server: Listening, body: Any = None, method: str = "POST", **headers: str) -> httpx.Response:
    """A request with the token, unless `headers` has another one."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"content-type": "application/json", **ACCEPT, **server.headers, **headers}
    given = {name.replace("_", "-"): value for name, value in given.items()}
    return httpx.request(method, server.url, content=content, headers=given, timeout=DEADLINE)


def message(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


# ---- who is let in ---------------------------------------------------------------------------


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer nothing", "Basic {}", "{}"])
def test_without_the_token_nothing_is_told_but_where_it_is(server: Listening, authorization: str) -> None:
    given = {"authorization": authorization.format(server.token)}
    for method in ("GET", "POST", "DELETE", "OPTIONS"):
        for path in ("/mcp", "/", "/.well-known/oauth-protected-resource"):
            url = server.url.removesuffix("/mcp") + path
            answer = httpx.request(method, url, headers=given, timeout=DEADLINE)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
            assert answer.text.startswith("not allowed: send Authorization: Bearer TOKEN")
            assert server.token not in answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": "127.0.0.1:1"}, 421),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:1"}, 403),
        ({"origin": "null"}, 403),
    ],
)
def test_pages_of_a_browser_are_refused_with_the_token_too(
    server: Listening, headers: dict[str, str], status: int
) -> None:
    answer = ask(server, message("initialize", **INITIALIZE), **headers)
    assert (answer.status_code, "mcp-session-id" in answer.headers) == (status, False)
    assert "access-control-allow-origin" not in answer.headers


def test_a_further_name_is_answered_where_it_was_allowed(folder: Path) -> None:
    with listening(folder, "--allow-host=Box.example", "--allow-host=proxy.example:80") as server:
        port = server.url.removesuffix("/mcp").rpartition(":")[2]
        begin = message("initialize", **INITIALIZE)
        for host, status in {
            f"box.example:{port}": 200,
            "proxy.example:80": 200,
            "box.example": 421,
            "proxy.example": 421,
            f"proxy.example:{port}": 421,
        }.items():
            assert ask(server, begin, host=host).status_code == status, host
            assert ask(server, begin, host=host, origin=f"http://{host}").status_code == status, host
        assert ask(server, begin, host=f"box.example:{port}", authorization="Bearer x").status_code == 401


@pytest.mark.parametrize(("address", "is_warned"), [("127.0.0.1:0", False), ("0.0.0.0:0", True)])
def test_an_address_that_other_machines_reach_is_warned_of(
    address: str, is_warned: bool, tmp_path: Path
) -> None:
    words = (f"--http={address}", f"--token-file={tmp_path / 'token'}")
    with subprocess.Popen(
        command(tmp_path / "runs.db", *words), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = [process.stderr.readline() for _ in range(1 + is_warned)]
        process.terminate()
        said.append(process.stderr.read())
    assert "serving http://127.0.0.1:" in said[0]
    warning = "warning: 0.0.0.0 can be reached from other machines, and what is sent is not encrypted"
    assert (warning in "".join(said)) is is_warned


def test_a_proxy_may_speak_http_2_without_tls(server: Listening) -> None:
    with httpx.Client(http1=False, http2=True, timeout=DEADLINE) as client:
        given = {"content-type": "application/json", **ACCEPT, **server.headers}
        answer = client.post(server.url, json=message("initialize", **INITIALIZE), headers=given)
    assert (answer.http_version, answer.status_code) == ("HTTP/2", 200)
    assert '"serverInfo"' in answer.text


def test_another_path_is_none(server: Listening) -> None:
    answer = httpx.get(f"{server.url}/x", headers=server.headers, timeout=DEADLINE)
    assert (answer.status_code, answer.text) == (404, "not found: messages go to /mcp\n")


def test_the_token_is_its_owners_alone_and_outlasts_the_server(folder: Path, server: Listening) -> None:
    file = folder / "token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert server.token.encode() not in Path(f"/proc/{server.process.pid}/cmdline").read_bytes()
    with listening(folder) as again:
        assert ask(again, message("initialize", **INITIALIZE), **server.headers).status_code == 200


def test_without_an_option_the_token_is_beside_the_users_store(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command(tmp_path / "runs.db", "--http=0"),
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    with process.stderr:
        said = process.stderr.readline()
        process.terminate()
        process.wait(DEADLINE)
    file = tmp_path / "flowcage" / "mcp.token"
    assert said.endswith(f", with the token in {file}\n")
    assert [stat.S_IMODE(each.stat().st_mode) for each in (file, file.parent)] == [0o600, 0o700]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--http=127.0.0.1:99999"], "--http 127.0.0.1:99999: '127.0.0.1:99999' is no address"),
        (["--http=nobody.invalid:1"], "--http nobody.invalid: this machine has no such name"),
        (["--http=0", "--token-file=/etc/passwd"], "/etc/passwd must be yours alone: chmod 600"),
        (["--token-file=x"], "--token-file and --allow-host need --http"),
        (["--allow-host=x"], "--token-file and --allow-host need --http"),
    ],
)
def test_what_is_wrong_with_options_is_said(words: list[str], said: str, tmp_path: Path) -> None:
    refused = flowcage("mcp", f"--store={tmp_path / 'runs.db'}", *words, cwd=tmp_path)
    assert refused.status == 2
    assert refused.stderr.startswith(f"flowcage: {said}")
    assert not (tmp_path / "runs.db").exists()


def test_without_its_server_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "hypercorn.py").write_text("raise ImportError('none', name='hypercorn')")
    refused = flowcage("mcp", "--http=0", env={"PYTHONPATH": str(tmp_path)}, cwd=tmp_path)
    assert (refused.status, refused.stderr) == (
        2,
        "flowcage: this needs packages that are missing (hypercorn): pip install 'flowcage[mcp]'\n",
    )


def test_a_port_in_use_is_said_so(server: Listening, tmp_path: Path) -> None:
    where = re.sub(r"http://|/mcp", "", server.url)
    words = (f"--store={tmp_path / 'r.db'}", f"--token-file={tmp_path / 'token'}")
    refused = flowcage("mcp", f"--http={where}", *words, cwd=tmp_path)
    assert refused.status == 2
    assert refused.stderr.endswith("choose another one with --http, or 0 for a free one\n")


# ---- wrong shapes ----------------------------------------------------------------------------

WRONG: list[tuple[str, bytes, dict[str, str], int]] = [
    ("no JSON", b"{", {}, 400),
    ("a batch", b"[]", {}, 400),
    ("deep", b"[" * 100_000, {}, 400),
    ("no text", b"\xff\xfe", {}, 400),
    ("no session", json.dumps(message("tools/list")).encode(), {}, 400),
    ("another session", json.dumps(message("tools/list")).encode(), {"mcp_session_id": "x"}, 404),
    ("another type", b"{}", {"content_type": "text/plain"}, 400),
    ("another form of answer", b"{}", {"accept": "text/html"}, 406),
    ("an unknown version", b"{}", {"mcp_protocol_version": "1999-01-01"}, 400),
    ("too long", b"x" * (MESSAGE_BYTES + 1), {}, 413),
]


@pytest.mark.parametrize(
    ("body", "headers", "status"), [each[1:] for each in WRONG], ids=[each[0] for each in WRONG]
)
def test_what_is_no_message_is_refused(
    server: Listening, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = ask(server, body, **headers)
    assert answer.status_code == status
    assert "Traceback" not in answer.text
    assert len(answer.text) < 2_000


def test_what_is_deep_or_wide_is_not_parsed(server: Listening) -> None:
    assert ask(server, b"[" * 100_000).text == "nested more than 512 levels deep\n"
    assert ask(server, b"[" + b"1," * 1_100_000 + b"1]").text == "more than 1,000,000 values in one message\n"


HALF = "\ud800"
CALLS: list[tuple[dict[str, Any], str]] = [
    ({"name": "run", "arguments": []}, "Invalid request parameters"),
    ({"name": "run", "arguments": "x"}, "Invalid request parameters"),
    ({"name": 3}, "Invalid request parameters"),
    ({}, "Invalid request parameters"),
    ({"name": "run", "arguments": {"source": HALF}}, "run: source has half of a character"),
    ({"name": "check", "arguments": {"workflow": HALF}}, "check: workflow has half of a character"),
    ({"name": "cancel", "arguments": {"run": "x", "reason": HALF}}, "cancel: reason has half of a character"),
    ({"name": "run", "arguments": {"source": "1", "args": float("nan")}}, "run: Out of range float values"),
]


@pytest.mark.parametrize(("call", "said"), CALLS, ids=[str(call)[:60] for call, _ in CALLS])
def test_a_call_of_a_wrong_shape_is_told_what_is_wrong(
    server: Listening, call: dict[str, Any], said: str
) -> None:
    headers = single("tools/call", str(call.get("name", "")))
    given = {name.replace("-", "_"): value for name, value in headers.items()}
    answer = ask(server, message("tools/call", **call, _meta=ENVELOPE), **given)
    if call.get("name") == 3:  # a header cannot say so
        said = "mcp-name header does not match"
    assert said in answer.text


def test_wrong_shapes_leave_no_session_and_end_nothing(server: Listening) -> None:
    for _ in range(150):  # more than there may be
        assert ask(server, b"{").status_code == 400
    assert ask(server, message("initialize", **INITIALIZE)).status_code == 200


# ---- clients that go away or read nothing ----------------------------------------------------


class Raw:
    """A client without a library: a socket, on which nothing is read unless it is asked for.

    Args:
        server: that it asks.
        headers: of each message, beside those of the door.
    """

    def __init__(self, server: Listening, headers: dict[str, str]) -> None:
        host, port = re.sub(r"http://|/mcp", "", server.url).split(":")
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.connect((host, int(port)))
        self._headers = {"host": f"{host}:{port}", "content-type": "application/json", **ACCEPT, **headers}
        self._headers |= server.headers

    def send(self, method: str, body: Any = None) -> None:
        """A request."""
        content = b"" if body is None else json.dumps(body).encode()
        lines = [f"{name}: {value}" for name, value in self._headers.items()]
        head = "\r\n".join([f"{method} /mcp HTTP/1.1", *lines, f"content-length: {len(content)}", "", ""])
        self._socket.sendall(head.encode() + content)

    def begin(self) -> None:
        """A message that does not come to its end."""
        lines = [f"{name}: {value}" for name, value in self._headers.items()]
        self._socket.sendall(
            "\r\n".join(["POST /mcp HTTP/1.1", *lines, "content-length: 9", "", "{"]).encode()
        )

    def first_bytes(self) -> bytes:
        """Those of an answer."""
        self._socket.settimeout(DEADLINE)
        return self._socket.recv(100)

    def die(self) -> None:
        """Without a word."""
        self._socket.close()


def session_of(server: Listening) -> dict[str, str]:
    """Headers of a session, as protocols before 2026 have it."""
    begun = ask(server, message("initialize", **INITIALIZE))
    return {"mcp-session-id": begun.headers["mcp-session-id"], "mcp-protocol-version": "2025-06-18"}


def single(method: str, name: str) -> dict[str, str]:
    """Headers of a request without a session, as the protocol of 2026 has it."""
    return {"mcp-protocol-version": "2026-07-28", "mcp-method": method, "mcp-name": name}


ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


async def is_refused(asking: Asking) -> bool:
    """Whether the server has too much to do for a question."""
    try:
        await asking.ok("list_runs")
    except MCPError as error:
        if error.error.code != BUSY:
            raise
        return True
    return False


@pytest.mark.parametrize("is_old", [False, True], ids=["http", "http with a session"])
def test_more_than_some_requests_at_once_are_refused_and_dead_clients_leave_their_places(
    folder: Path, is_old: bool
) -> None:
    async def main() -> None:
        async with connected(server) as client:
            asking = Asking(client)
            run_id = (await asking.ok("run", source=SLEEPS))["runId"]
            given = {"name": "wait", "arguments": {"run": run_id, "seconds": 3600}, "_meta": ENVELOPE}
            headers = session_of(server) if is_old else single("tools/call", "wait")
            clients: list[Raw] = []
            with trio.fail_after(DEADLINE):
                # One of them is refused while the question has the last place: then another comes.
                while len(clients) < AT_ONCE or not await is_refused(asking):
                    clients.append(Raw(server, headers))
                    clients[-1].send("POST", message("tools/call", **given) | {"id": f"{len(clients)}"})
                for each in clients:
                    each.die()
                while await is_refused(asking):
                    await trio.lowlevel.checkpoint()

    with listening(folder) as server:
        trio.run(main)


def status_comes(server: Listening, status: int) -> None:
    """Ask until this is the status."""
    end = time.monotonic() + DEADLINE
    while ask(server, message("initialize", **INITIALIZE)).status_code != status:
        assert time.monotonic() < end


def test_messages_that_do_not_come_to_their_end_are_so_many_and_no_more(folder: Path) -> None:
    with listening(folder) as server:
        clients = [Raw(server, {}) for _ in range(MESSAGES)]
        for each in clients:
            each.begin()
        status_comes(server, 503)
        for each in clients:
            each.die()
        status_comes(server, 200)


def test_clients_that_read_nothing_keep_nobody_waiting_and_not_the_end(folder: Path) -> None:
    async def runs() -> tuple[str, str]:
        async with connected(server) as client:
            asking = Asking(client)
            run_id = (await asking.ok("run", source="return 'x'.repeat(3_000_000)"))["runId"]
            await asking.ok("wait", run=run_id, seconds=100)
            return str(run_id), str((await asking.ok("run", source=SLEEPS))["runId"])

    with listening(folder) as server:
        long, sleeper = trio.run(runs)
        uri = f"flowcage://runs/{long}/result"
        clients = [Raw(server, single("resources/read", uri)) for _ in range(10)]
        clients += [Raw(server, session_of(server)) for _ in range(3)]
        for each in clients[:10]:
            each.send("POST", message("resources/read", uri=uri, _meta=ENVELOPE))
        for each in clients[10:]:
            each.send("GET")  # a stream of what a server tells by itself, which has no end
        for each in clients:
            assert b" 200 " in each.first_bytes()
        waits = {"name": "wait", "arguments": {"run": sleeper, "seconds": 3600}, "_meta": ENVELOPE}
        waiting = [Raw(server, headers) for headers in (single("tools/call", "wait"), session_of(server))]
        for each in waiting:
            each.send("POST", message("tools/call", **waits))
        trio.run(runs)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(DEADLINE) == 128 + signal.SIGTERM
        for each in (*clients, *waiting):
            each.die()


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        if sent:
            raise AssertionError("it was asked for more")
        await trio.sleep_forever()

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        raise AssertionError("there is nothing to answer")

    async def main() -> None:
        begun = trio.current_time()
        await bounded(app)({"type": "http"}, receive, send)
        assert trio.current_time() - begun == BODY_SECONDS

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert sent[0]["status"] == 408
