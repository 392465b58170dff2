"""What a client may read of runs, by path. Each endpoint gives JSON, or a `Live`, which becomes a stream.

GET  runs                          ?state&verdict&text&since&before&limit
GET  runs/stream                   the same, as events: rows that are new or have changed
GET  bills                         ?run&run…: what their agents have cost
GET  compare                       ?one&other
GET  runs/ID                       the page document
GET  runs/ID/stream                as events: `page`, then each `delta`
GET  runs/ID/calls/CALL            one call with all of its texts
GET  runs/ID/questions             that wait for a person
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import trio
from starlette.requests import Request

from flowcage.host.page.sources import Sources
from flowcage.host.resume.looking.details import details_of
from flowcage.host.ui.api import listing, looking
from flowcage.host.ui.api.bills import AT_ONCE, Bills
from flowcage.host.ui.api.comparing import compare
from flowcage.host.ui.api.kept import KeptRuns
from flowcage.host.ui.api.problems import Problem
from flowcage.host.ui.api.sse import Events

RUN = "/runs/{run}"

# On trio; of the request it uses path, query and headers.
Read: TypeAlias = Callable[[KeptRuns, Request], Awaitable[Any]]


class Live(NamedTuple):
    """An answer that goes on."""

    events: Callable[[], Events]


class Reading:
    """Of one server, which remembers what it has read of sources and costs."""

    def __init__(self) -> None:
        self._bills = Bills()
        self._sources = Sources()

    def table(self) -> Mapping[str, Read]:
        """Endpoints by path."""
        return {
            "/runs": self._list,
            "/runs/stream": self._list_stream,
            "/bills": self._bills_of,
            "/compare": self._compare,
            RUN: self._document,
            f"{RUN}/stream": self._run_stream,
            f"{RUN}/calls/{{call:path}}": self._call,
            f"{RUN}/questions": self._questions,
        }

    async def _list(self, runs: KeptRuns, request: Request) -> Any:
        part = await listing.part_of(runs, _query(request))
        return part.to_json() | {"at": runs.store.now()}

    async def _list_stream(self, runs: KeptRuns, request: Request) -> Live:
        query = _query(request)
        return Live(lambda: _named("runs", listing.changes_of(runs, query)))

    async def _bills_of(self, runs: KeptRuns, request: Request) -> Any:
        wanted = request.query_params.getlist("run")
        if len(wanted) > AT_ONCE:
            raise Problem(400, f"at most {AT_ONCE} runs at once")
        return await self._bills.of(runs, wanted)

    async def _compare(self, runs: KeptRuns, request: Request) -> Any:
        ids = [request.query_params.get(name, "") for name in ("one", "other")]
        runs.require_store()
        one, other = [await details_of(runs.store, each, runs.tenant) for each in ids]
        return await trio.to_thread.run_sync(compare, one, other)

    async def _document(self, runs: KeptRuns, request: Request) -> Any:
        return await looking.document_of(runs, self._sources, request.path_params["run"])

    async def _run_stream(self, runs: KeptRuns, request: Request) -> Live:
        run_id = request.path_params["run"]
        await runs.summary(run_id)
        return Live(lambda: looking.changes_of(runs, self._sources, run_id))

    async def _call(self, runs: KeptRuns, request: Request) -> Any:
        return await looking.call_of(runs, request.path_params["run"], request.path_params["call"])

    async def _questions(self, runs: KeptRuns, request: Request) -> Any:
        return await looking.questions_of(runs, request.path_params["run"])


def _query(request: Request) -> listing.Query:
    return listing.query_of(dict(request.query_params))


async def _named(name: str, values: AsyncGenerator[Any]) -> AsyncGenerator[tuple[str, Any]]:
    try:
        async for value in values:
            yield name, value
    finally:
        await values.aclose()
