"""What is no request of a run, what a run comes to without a result, and servers that are full or closing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

import flowcage
from flowcage import RunOptions, SqliteStore
from flowcage.asgi import RunRoutes
from flowcage.asyncio import Host

from .served import EACH_SERVER, Client, Gate, run, tenant_of

WRONG: list[tuple[Any, str]] = [
    ({}, "source: expected the text"),
    ({"source": 1}, "source: expected a text"),
    ({"source": "", "tenant": "zeta"}, "there is no member 'tenant'"),
    ({"source": "", "limits": []}, "limits: expected an object"),
    ({"source": "", "limits": {"cpuSecond": 3}}, "did you mean 'cpuSeconds'"),
    ({"source": "", "limits": {"cpuSeconds": 1e9}}, "cpuSeconds must be a number above 0 and at most"),
    ({"source": "", "limits": {"cpuSeconds": 0}}, "cpuSeconds"),
    ({"source": "", "limits": {"maxAgents": 1.5}}, "maxAgents"),
    ({"source": "", "limits": {"memoryBytes": 4.5e6}}, "memoryBytes"),
    ({"source": "", "limits": {"cpuSeconds": True}}, "cpuSeconds"),
    ({"source": "", "limits": {"cpuSeconds": "1"}}, "cpuSeconds"),
    ({"source": "", "limits": {"timeoutSeconds": 4000}}, "timeoutSeconds"),
    ({"source": "", "metadata": "x"}, "metadata: expected an object"),
    ({"source": "", "runId": "../x"}, "run_id"),
    ({"source": "", "runId": ""}, "run_id"),
    ({"source": "", "runId": "x" * 81}, "runId: at most 80"),
    ({"source": "", "sourceName": 3}, "sourceName: expected a text"),
    ({"source": "", "key": ""}, "key must have"),
]
BODIES = {
    b"{": 400,
    b"[]": 400,
    b'{"source": NaN}': 400,
    b"\xff": 400,
    b"[" * 100_000: 400,
    b" " * (1024 * 1024 + 1): 413,
}


def test_what_is_no_workflow_is_refused_by_name(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        for body, said in WRONG:
            got = await client.post("/runs", body)
            assert (got.status_code, said in got.json()["detail"]) == (422, True), (body, got.text)
        for text, status in BODIES.items():
            got = await client.http.post("/runs", content=text, headers={"content-type": "application/json"})
            assert (got.status_code, got.json().get("status")) == (status, status), (text[:40], got.text)
        form = await client.http.post("/runs", data={"source": "1"})  # as other sites could
        assert form.status_code == 415
        assert (await client.get("/runs")).json()["runs"] == []
        for method, path, status in (("PUT", "/runs", 405), ("GET", "/nothing", 404), ("GET", "/runs/", 404)):
            got = await client.http.request(method, path)
            assert (got.status_code, got.json().get("status")) == (status, status), (path, got.text)
        for path in ("/runs?limit=0", "/runs?state=x", "/runs?before=x", "/runs?color=red"):
            assert (await client.get(path)).status_code == 400
        assert (await client.get("/runs/none/report?form=pdf")).status_code == 400

    run("asyncio", tmp_path, work)


@pytest.mark.parametrize(
    ("source", "limits", "verdict"),
    [
        ("throw new Error('no luck')", {}, "failed"),
        ("return (", {}, "failed"),
        ("await new Promise(() => {})", {}, "stalled"),
        ("for (;;);", {"stepTimeoutMs": 50}, "step_timeout"),
        ("const a = []; for (;;) a.push(Array(1000).fill(1))", {"memoryBytes": 4_000_000}, "memory_limit"),
        ("for (;;) await agent('x').catch(() => 0)", {"maxTotalAgents": 3}, "agent_limit"),
    ],
)
def test_a_run_without_a_result_is_a_problem_with_its_verdict(
    tmp_path: Path, source: str, limits: dict[str, float], verdict: str
) -> None:
    async def work(client: Client) -> None:
        got = await client.post("/runs?wait", {"source": source, "limits": limits})
        told = got.json()
        assert (got.status_code, told["verdict"]) == (422, verdict)  # the same request would end the same way
        assert told["error"]["message"]
        outcome = await client.outcome(told["runId"])
        assert (outcome["verdict"], outcome["error"]["message"]) == (verdict, told["error"]["message"])
        assert (await client.get(f"/runs/{told['runId']}/result")).json() == outcome

    run("asyncio", tmp_path, work)


@EACH_SERVER
def test_streams_are_few_for_each_tenant_and_end_when_the_server_is_closing(
    server: str, tmp_path: Path
) -> None:
    async def work(client: Client) -> None:
        run_id = await client.start("await agent('x')")
        await client.gate.at_work.wait()
        path = f"/runs/{run_id}/events"
        async with await client.listen(path) as first, await client.listen(path) as second:
            async with await client.listen(path) as third:
                assert (first.status, second.status, third.status) == (200, 200, 503)
            other = await client.http.get("/runs", headers={"authorization": "Bearer zeta"})
            assert other.status_code == 200
            client.routes.close()
            for stream in (first, second):
                while await stream.next() is not None:
                    pass
        assert (await client.get("/runs")).status_code == 503
        client.gate.released.set()

    run(server, tmp_path, work, gated=True, routes={"max_streams_each": 2})


def test_streams_are_few_in_all(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        run_id = await client.start("await agent('x')")
        await client.gate.at_work.wait()
        async with await client.listen(f"/runs/{run_id}/events") as first:
            other = await client.http.get("/runs/stream", headers={"authorization": "Bearer zeta"})
            assert (first.status, other.status_code) == (200, 503)
            assert int(other.headers["retry-after"]) >= 1
        client.gate.released.set()

    run("asyncio", tmp_path, work, gated=True, routes={"max_streams": 1})


def test_a_body_that_does_not_come_is_not_waited_for(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        async with await anyio.connect_tcp("127.0.0.1", client.http.base_url.port or 0) as socket:
            lines = ("POST /v1/runs HTTP/1.1", "host: x", "authorization: Bearer acme", "content-length: 9")
            await socket.send("\r\n".join([*lines, "", "{"]).encode())
            assert (await socket.receive()).startswith(b"HTTP/1.1 408 ")

    run("asyncio", tmp_path, work, routes={"max_body_seconds": 0.1})


def test_a_run_that_is_waited_for_has_no_key(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        got = await client.post("/runs?wait", {"source": "export default 1", "key": "k"})
        assert (got.status_code, "leave ?wait out" in got.json()["detail"]) == (422, True)

    run("asyncio", tmp_path, work)


def test_a_fault_of_the_service_is_logged_and_not_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_request: Any, _caller: Any) -> Any:
        raise RuntimeError("the password is s3cret")

    (tmp_path / "of_the_service").mkdir()
    (tmp_path / "of_the_service" / "latin.js").write_bytes(b"// \xe9")

    async def work(client: Client) -> None:
        options = {"source": "return await workflow('x')"}
        got = await client.post("/runs?wait", options)
        assert (got.status_code, "s3cret" in got.text) == (500, False)
        assert got.json()["detail"] == "the service could not carry out the workflow; its log says more"
        assert "s3cret" in caplog.text
        got = await client.post("/runs", {"workflow": "latin"})
        assert (got.status_code, "latin.js" in got.text) == (500, False)
        assert "latin.js:1: not UTF-8" in caplog.text

    options = RunOptions(workflow=broken)
    run("asyncio", tmp_path, work, options=options, routes={"workflows": tmp_path / "of_the_service"})


@EACH_SERVER
def test_a_stream_that_its_client_leaves_makes_room(server: str, tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        run_id = await client.start("await agent('x')")
        await client.gate.at_work.wait()
        for _ in range(3):
            status = 503
            while status == 503:  # until the server has noticed
                async with await client.listen(f"/runs/{run_id}/events") as stream:
                    status = stream.status
                    if status == 200:
                        assert (await stream.next()) is not None
                await anyio.sleep(0.01)
        client.gate.released.set()

    run(server, tmp_path, work, gated=True, routes={"max_streams_each": 1})


@EACH_SERVER
def test_a_client_that_waits_is_told_where_the_host_is_left(server: str, tmp_path: Path) -> None:
    got: list[Any] = []

    async def work(client: Client) -> None:
        async def wait() -> None:
            got.append(await client.post("/runs?wait", {"source": "await agent('x')"}))

        client.group.start_soon(wait)
        await client.gate.at_work.wait()

    async def after(client: Client) -> None:
        assert (await client.post("/runs", {"source": "1"})).status_code == 503

    run(server, tmp_path, work, after=after, gated=True)
    assert (got[0].status_code, got[0].headers["retry-after"]) == (503, "5")


def test_the_program_says_who_a_client_is_and_what_it_may(tmp_path: Path) -> None:
    async def asked(request: Request) -> str:
        await asyncio.sleep(0)
        if request.method == "POST" and request.headers.get("x-role") != "writer":
            raise HTTPException(403, "readers only read", {"x-why": "role"})
        return "acme"

    async def options_of(request: Request) -> RunOptions:
        return RunOptions(agent=Gate(), max_agents=int(request.headers.get("x-agents", 1)))

    async def main() -> None:
        store = await asyncio.to_thread(SqliteStore.open, tmp_path / "runs.db")
        async with Host(store=store) as host:
            routes = RunRoutes(host, asked, options_of=options_of)
            assert (await _asked(routes, "GET", "/runs"))[0] == 200
            status, headers, body = await _asked(routes, "POST", "/runs", {"source": "1"})
            assert (status, headers[b"x-why"], body["detail"]) == (403, b"role", "readers only read")
            more = {b"x-role": b"writer", b"x-agents": b"2"}
            status, _, body = await _asked(
                routes, "POST", "/runs", {"source": "1", "limits": {"maxAgents": 3}}, more
            )
            assert (status, "at most 2" in body["detail"]) == (422, True)
            for wrong in (lambda _: 7, lambda _: ""):
                with pytest.raises(TypeError, match="tenant_of must give"):
                    await _asked(RunRoutes(host, wrong), "GET", "/runs")  # type: ignore[arg-type]
        await asyncio.to_thread(store.close)

    asyncio.run(main())


async def _asked(
    app: RunRoutes, method: str, path: str, body: Any = None, more: dict[bytes, bytes] | None = None
) -> tuple[int, dict[bytes, bytes], Any]:
    """Without a server: what it answers."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json"), *(more or {}).items()]
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": headers}
    await app(scope, receive, send)
    start, answer = sent
    return start["status"], dict(start["headers"]), json.loads(answer["body"])


def test_what_cannot_serve_is_told_at_once(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "runs.db")
    cases: list[tuple[Callable[[], RunRoutes], str]] = [
        (lambda: RunRoutes(Host(), tenant_of), "give the host one"),
        (lambda: RunRoutes("host", tenant_of), "must be a Host"),  # type: ignore[arg-type]
        (lambda: RunRoutes(Host(store=store), "acme"), "tenant_of must be a function"),  # type: ignore[arg-type]
        (lambda: RunRoutes(Host(store=store), None), "tenant_of must be a function"),  # type: ignore[arg-type]
        (lambda: RunRoutes(Host(store=store), tenant_of, options_of=7), "options_of must be"),  # type: ignore[arg-type]
    ]
    for wrong, told in cases:
        with pytest.raises((TypeError, ValueError), match=told):
            wrong()
    routes = RunRoutes(flowcage.Host(store=store), lambda _: "acme")
    with pytest.raises(flowcage.WrongEventLoop, match=r"flowcage\.asyncio"):
        asyncio.run(_asked(routes, "GET", "/runs"))
    store.close()
