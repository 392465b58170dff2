"""The routes, for any ASGI program: JSON, Server-Sent Events, and problems.

GET  runs                          ?state&verdict&text&since&before&limit
GET  runs/stream                   the same, as events: rows that are new or have changed
GET  bills                         ?run&run…: what their agents have cost
GET  compare                       ?one&other
GET  runs/ID                       the page document
GET  runs/ID/stream                as events: `page`, then each `delta`
GET  runs/ID/calls/CALL            one call with all of its texts
GET  runs/ID/questions             that wait for a person
GET  runs/ID/resume                ways to go on
POST runs/ID/cancel                {"reason"?}
POST runs/ID/answer                {"request"?, "value" | "typed" | "reject"}
POST runs/ID/resume/explain        {"way"}
POST runs/ID/resume                {"way"}
"""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import trio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from flowcage.host.page.sources import Sources
from flowcage.host.resume.looking.details import details_of
from flowcage.host.ui.api import acting, listing, looking
from flowcage.host.ui.api.bills import AT_ONCE, Bills
from flowcage.host.ui.api.comparing import compare
from flowcage.host.ui.api.kept import KeptRuns
from flowcage.host.ui.api.problems import KIND, Problem, problem_of
from flowcage.host.ui.api.resuming import Resuming
from flowcage.host.ui.api.sse import Streams
from flowcage.protocol import strictjson

_BODY_BYTES = 16 * 1024 * 1024

_Endpoint = Callable[["Api", Request], Awaitable[Any]]
_Act = Callable[[KeptRuns, str, dict[str, Any]], Awaitable[dict[str, Any]]]


class Api:
    """The routes of one server.

    Args:
        runs: that are shown.
        resuming: goes on with them.
    """

    def __init__(self, runs: KeptRuns, resuming: Resuming) -> None:
        self._runs = runs
        self._resuming = resuming
        self._bills = Bills()
        self._sources = Sources()
        self.streams = Streams()

    def routes(self) -> list[BaseRoute]:
        """To be mounted somewhere."""
        run = "/runs/{run}"
        reads: dict[str, _Endpoint] = {
            "/runs": Api._list,
            "/runs/stream": Api._list_stream,
            "/bills": Api._bills_of,
            "/compare": Api._compare,
            run: Api._document,
            f"{run}/stream": Api._run_stream,
            f"{run}/calls/{{call:path}}": Api._call,
            f"{run}/questions": Api._questions,
            f"{run}/resume": Api._ways,
        }
        acts: dict[str, _Act] = {
            f"{run}/cancel": acting.cancel,
            f"{run}/answer": acting.answer,
            f"{run}/resume/explain": self._resuming.explain,
            f"{run}/resume": self._resuming.start,
        }
        return [
            *(
                Route(path, _told(functools.partial(read, self)), methods=["GET"])
                for path, read in reads.items()
            ),
            *(Route(path, _told(self._acting(act)), methods=["POST"]) for path, act in acts.items()),
        ]

    def _acting(self, act: _Act) -> Callable[[Request], Awaitable[Any]]:
        async def answered(request: Request) -> Any:
            return await act(self._runs, request.path_params["run"], await _body(request))

        return answered

    async def _list(self, request: Request) -> Any:
        part = await listing.part_of(self._runs, _query(request))
        return part.to_json() | {"at": self._runs.store.now()}

    async def _list_stream(self, request: Request) -> Response | Any:
        query = _query(request)
        return self.streams.of(lambda: _named("runs", listing.changes_of(self._runs, query)))

    async def _bills_of(self, request: Request) -> Any:
        wanted = request.query_params.getlist("run")
        if len(wanted) > AT_ONCE:
            raise Problem(400, f"at most {AT_ONCE} runs at once")
        return await self._bills.of(self._runs, wanted)

    async def _compare(self, request: Request) -> Any:
        ids = [request.query_params.get(name, "") for name in ("one", "other")]
        self._runs.require_store()
        one, other = [await details_of(self._runs.store, each, self._runs.tenant) for each in ids]
        return await trio.to_thread.run_sync(compare, one, other)

    async def _document(self, request: Request) -> Any:
        return await looking.document_of(self._runs, self._sources, request.path_params["run"])

    async def _run_stream(self, request: Request) -> Any:
        run_id = request.path_params["run"]
        await self._runs.summary(run_id)
        return self.streams.of(lambda: looking.changes_of(self._runs, self._sources, run_id))

    async def _call(self, request: Request) -> Any:
        return await looking.call_of(self._runs, request.path_params["run"], request.path_params["call"])

    async def _questions(self, request: Request) -> Any:
        return await looking.questions_of(self._runs, request.path_params["run"])

    async def _ways(self, request: Request) -> Any:
        return await self._resuming.ways(self._runs, request.path_params["run"])


def _query(request: Request) -> listing.Query:
    return listing.query_of(dict(request.query_params))


async def _named(name: str, values: AsyncGenerator[Any]) -> AsyncGenerator[tuple[str, Any]]:
    try:
        async for value in values:
            yield name, value
    finally:
        await values.aclose()


def _told(endpoint: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Any]]:
    """An endpoint that gives a value, or raises, as one that gives a response."""

    async def told(request: Request) -> Any:
        try:
            value = await endpoint(request)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            problem = problem_of(error)
            if problem is None:
                raise
            return _response(problem.to_json(), problem.status, KIND)
        if isinstance(value, dict | list):
            return await trio.to_thread.run_sync(_response, value)
        return value

    return told


def _response(value: Any, status: int = 200, kind: str = "application/json") -> Response:
    return Response(strictjson.dumps(value), status, media_type=kind)


async def _body(request: Request) -> dict[str, Any]:
    """The JSON object of a request. Raises `Problem`."""
    data, length = bytearray(), 0
    async for chunk in request.stream():
        length += len(chunk)
        if length <= _BODY_BYTES:  # all is read, or the connection ends with the answer
            data += chunk
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Problem(415, "expected application/json")
    if length > _BODY_BYTES:
        raise Problem(413, f"at most {_BODY_BYTES:,} bytes")
    try:
        value = strictjson.loads(bytes(data) or b"{}")
    except (ValueError, RecursionError) as error:
        raise Problem(400, f"this is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise Problem(400, "expected an object")
    return value
