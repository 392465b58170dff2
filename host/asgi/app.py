"""The routes of runs, for any ASGI program. Those of `ui/api/reading.py`, for one tenant at a time, and:

POST runs                      {"source" | "workflow", "args"?, "limits"?, "metadata"?, "runId"?, "key"?, …}
POST runs?wait                 the same; answered with the outcome; ends with its client
GET  runs/ID/events            as events: what happens in the run, then `outcome`
GET  runs/ID/result            what flowcage run prints
GET  runs/ID/report            ?form: a file to keep
GET  runs/ID/resume            ways to go on
POST runs/ID/resume/explain    {"way", "source"?, "sourceName"?, "args"?}
POST runs/ID/resume            the same
POST runs/ID/cancel            {"reason"?}
POST runs/ID/answer            {"request"?, "value" | "typed" | "reject"}
GET  statistics                counters of the tenant
GET  workflows                 names of the service's own
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

try:
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute, Route, Router
    from starlette.types import Receive, Scope, Send
except ImportError as error:
    raise ImportError(
        "the routes need starlette, which is not installed: pip install 'flowcage[asgi]'"
    ) from error

from flowcage.host.asgi import beginning, going_on, queueing
from flowcage.host.asgi.ending import is_ending
from flowcage.host.asgi.events import Place, events_of
from flowcage.host.asgi.ids import known_id, own_id
from flowcage.host.asgi.results import result_of
from flowcage.host.asgi.side import AnyHost, side_of
from flowcage.host.asgi.submission import options_with, submission_of
from flowcage.host.asgi.workflows import Workflows
from flowcage.host.outcome.errors import HostClosing
from flowcage.host.resume.new.queued import require_pool
from flowcage.host.run.options import RunOptions
from flowcage.host.ui.api import acting
from flowcage.host.ui.api.answering import BODY_SECONDS, as_json, body, refusal, told
from flowcage.host.ui.api.kept import KeptRuns
from flowcage.host.ui.api.problems import Problem
from flowcage.host.ui.api.reading import RUN, Live, Read, Reading
from flowcage.host.ui.api.sse import Streams

TenantOf: TypeAlias = Callable[[Request], Awaitable[str | None] | str | None]
OptionsOf: TypeAlias = Callable[[Request], Awaitable[RunOptions | None] | RunOptions | None]

_MIB = 1024 * 1024
_Endpoint: TypeAlias = Callable[[Request, str], Awaitable[Any]]
_Act: TypeAlias = Callable[[KeptRuns, str, dict[str, Any]], Awaitable[dict[str, Any]]]
_FORMS = {"html": "text/html", "md": "text/markdown"}


class RunRoutes:
    """An ASGI program: the runs of a host by HTTP. Mount it in another one, or serve it by itself.

    Args:
        host: of `flowcage.asyncio`, or of `flowcage` where the server is on trio. It has a store. The program
            enters its block before it serves.
        tenant_of: whose a request is, from what it proves, such as a token; called before anything else is
            done for the request. None is answered with 401. It may raise ``HTTPException``, also to refuse
            what this client may not do. It decides alone: there is no other lock.
        options_of: what the runs have that a request begins or goes on with; by default the host's.
        workflows: folder of the service's own workflows, which clients start by name; None for none.
        takes_source: whether clients may send sources of their own.
        max_body_bytes, max_body_seconds: of the body of a request.
        max_streams, max_streams_each: open at once, in all and of a tenant.
        queue: pool of workers that carry the runs out, "" for the usual one; None where the host does. Who
            answers such a run is the workers' choice, and nothing of `options_of` but limits and choices.
    """

    def __init__(
        self,
        host: AnyHost,
        tenant_of: TenantOf,
        *,
        options_of: OptionsOf | None = None,
        workflows: Path | None = None,
        takes_source: bool = True,
        max_body_bytes: int = _MIB,
        max_body_seconds: float = BODY_SECONDS,
        max_streams: int = 500,
        max_streams_each: int = 20,
        queue: str | None = None,
    ) -> None:
        for name, function in (("tenant_of", tenant_of), ("options_of", options_of)):
            if not callable(function) and not (name == "options_of" and function is None):
                raise TypeError(f"{name} must be a function of the request, not {type(function).__name__}")
        self._side = side_of(host)
        if queue is not None:
            require_pool("queue", queue)
        self._queue = queue
        self._workflows = Workflows(workflows, takes_source)
        self._tenant_of = tenant_of
        self._options_of = options_of
        self._body = partial(body, most_bytes=max_body_bytes, most_seconds=max_body_seconds)
        self._streams = Streams(max_streams, max_streams_each, is_ending)
        self._is_closing = False
        self._router = Router(self.routes(), redirect_slashes=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        scope.setdefault("app", self)  # with it the router raises where there is no route, and says nothing
        try:
            await self._router(scope, receive, send)
        except HTTPException as error:
            await refusal(Problem(error.status_code, error.detail, error.headers or {}))(scope, receive, send)

    def close(self) -> None:
        """Begin to shut down: streams end, and nothing is begun any more. For the server's event loop.

        Clients of streams come again by themselves, to whoever serves then. Those who wait for a run have
        until the host's block is left.
        """
        self._is_closing = True
        self._streams.end()

    def routes(self) -> list[BaseRoute]:
        """Those of the program, to be mounted elsewhere."""
        reads: dict[str, Read] = {
            **Reading().table(),
            f"{RUN}/events": _events,
            f"{RUN}/result": _result,
            f"{RUN}/resume": _ways,
        }
        acts: dict[str, _Act] = {f"{RUN}/cancel": acting.cancel, f"{RUN}/answer": acting.answer}
        gets: dict[str, _Endpoint] = {
            **{path: self._reading(read) for path, read in reads.items()},
            f"{RUN}/report": self._report,
            "/statistics": self._statistics,
            "/workflows": self._names,
        }
        posts: dict[str, _Endpoint] = {
            "/runs": self._begin,
            f"{RUN}/resume/explain": self._explain,
            f"{RUN}/resume": self._go_on,
            **{path: self._acting(act) for path, act in acts.items()},
        }
        return [
            *(Route(path, told(self._of_tenant(each)), methods=["GET"]) for path, each in gets.items()),
            *(Route(path, told(self._of_tenant(each)), methods=["POST"]) for path, each in posts.items()),
        ]

    def _of_tenant(self, endpoint: _Endpoint) -> Callable[[Request], Awaitable[Any]]:
        """An endpoint that is told whose the request is."""

        async def answered(request: Request) -> Any:
            tenant = await _given(self._tenant_of(request))
            if tenant is None:
                raise Problem(401, "this request shows nothing by which it is known whose it is")
            if not isinstance(tenant, str) or not tenant:
                raise TypeError(f"tenant_of must give the name of a tenant, or None, not {tenant!r}")
            if self._is_closing:
                raise HostClosing
            if (run_id := request.path_params.get("run")) is not None:
                found = partial(known_id, self._runs_of(tenant), run_id)
                request.path_params["run"] = await self._side.call(found)
            return await endpoint(request, tenant)

        return answered

    def _reading(self, read: Read) -> _Endpoint:
        async def answered(request: Request, tenant: str) -> Any:
            value = await self._side.call(partial(read, self._runs_of(tenant), request))
            if isinstance(value, Live):
                return self._streams.of(value.events, tenant, self._side.call)
            return value

        return answered

    def _acting(self, act: _Act) -> _Endpoint:
        async def answered(request: Request, tenant: str) -> Any:
            given = await self._body(request)
            run_id = request.path_params["run"]
            return await self._side.call(partial(act, self._runs_of(tenant), run_id, given))

        return answered

    async def _begin(self, request: Request, tenant: str) -> Any:
        given, options = await self._asked(request)
        asked = submission_of(given, self._side.host.options(None, None, options))
        if asked.run_id is not None:
            asked = asked._replace(run_id=own_id(tenant, asked.run_id))
        begin = beginning if self._queue is None else queueing.Queueing(self._queue)
        if request.query_params.get("wait", "false") not in ("false", "0"):
            return await begin.carry_out(self._side, tenant, asked, options, request)
        return _accepted(request, await begin.start(self._side, tenant, asked, options))

    async def _explain(self, request: Request, tenant: str) -> Any:
        given, options = await self._asked(request)
        runs, run_id = self._runs_of(tenant), request.path_params["run"]
        return await going_on.explain(self._side, runs, run_id, given, options)

    async def _go_on(self, request: Request, tenant: str) -> Any:
        given, options = await self._asked(request)
        runs, run_id = self._runs_of(tenant), request.path_params["run"]
        goes_on = await going_on.start(self._side, runs, run_id, given, options, self._queue)
        return _accepted(request, {"runId": goes_on})

    async def _asked(self, request: Request) -> tuple[dict[str, Any], RunOptions | None]:
        """The body of a request for a run, with the source where it names a workflow; and its options."""
        options = None if self._options_of is None else await _given(self._options_of(request))
        given = await self._workflows.with_source(await self._body(request), self._side.call)
        return given, options_with(given, options, lambda: self._side.host.options(None, None, None))

    async def _names(self, _request: Request, _tenant: str) -> Any:
        return {"workflows": await self._side.call(self._workflows.names)}

    async def _report(self, request: Request, tenant: str) -> Any:
        form, run_id = request.query_params.get("form", "html"), request.path_params["run"]
        try:
            text = await self._side.host.report(run_id, form, tenant=tenant)
        except ValueError as error:
            raise Problem(400, str(error)) from None
        kind = _FORMS.get(form, "application/json")
        # Not to be shown as a page of the service: its texts are anybody's.
        kept = f'attachment; filename="{run_id}.{form if form in _FORMS else "json"}"'
        return Response(text, media_type=kind, headers={"content-disposition": kept})

    async def _statistics(self, _request: Request, tenant: str) -> Any:
        tally = self._side.host.tenant_statistics(tenant)
        return vars(tally) | {"refused": dict(tally.refused), "ended": dict(tally.ended)}

    def _runs_of(self, tenant: str) -> KeptRuns:
        return KeptRuns(self._side.store, tenant)


async def _events(runs: KeptRuns, request: Request) -> Any:
    run_id = request.path_params["run"]
    place = Place.of(request.headers.get("last-event-id"))
    if place.has_all_of(await runs.summary(run_id)):
        return Response(status_code=204)  # by which a browser's EventSource comes no more
    return Live(lambda: events_of(runs, run_id, place))


async def _result(runs: KeptRuns, request: Request) -> Any:
    return result_of(await runs.record(request.path_params["run"]))


async def _ways(runs: KeptRuns, request: Request) -> Any:
    return await going_on.ways_of(runs, request.path_params["run"])


def _accepted(request: Request, begun: dict[str, Any]) -> Response:
    place = f"{request.scope.get('root_path', '')}/runs/{begun['runId']}"
    return as_json(begun, 202, {"location": place})


async def _given(found: Any) -> Any:
    """What a function of the program gives, which may be async."""
    return await found if isinstance(found, Awaitable) else found
