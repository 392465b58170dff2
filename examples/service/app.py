"""The HTTP side: requests become runs, outcomes become responses."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import trio
from quart import request
from quart.wrappers import Response
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException

from flowcage import FlowcageError, Host, HostClosing, Outcome, RunOptions

from . import json_text
from .connection import OwningApp
from .feed import Feed
from .problems import NOTHING, Problem, problem_of
from .submission import MAX_BODY_BYTES, Submission, parse
from .tenants import Tenants

BODY_SECONDS = 10
# A refusal takes this long: a client that retries at once would otherwise cost more than one that is served.
REFUSAL_SECONDS = 1
_log = logging.getLogger(__name__)


class Service:
    """Answers the requests of all clients.

    Args:
        host: an open one.
        options: for every run; limits and listener are set here.
    """

    def __init__(self, host: Host, tenants: Tenants, options: RunOptions) -> None:
        self._host = host
        self._tenants = tenants
        self._options = options

    def app(self) -> QuartTrio:
        """The ASGI application."""
        app = OwningApp(__name__, static_folder=None)
        app.config.update(MAX_CONTENT_LENGTH=MAX_BODY_BYTES, BODY_TIMEOUT=BODY_SECONDS, RESPONSE_TIMEOUT=None)
        app.post("/runs")(self.runs)
        app.get("/statistics")(self.statistics)
        app.get("/health")(self.health)
        app.register_error_handler(Problem, _answer_problem)
        app.register_error_handler(HTTPException, _answer_http_error)
        return app

    async def runs(self) -> Response:
        """``POST /runs``: the result or a problem, or all events and then one of the two."""
        tenant, submission = self._tenant(), parse(bytes(await request.data))
        if "stream" in request.args or request.accept_mimetypes.best == "text/event-stream":
            return await self._stream(tenant, submission)
        try:
            outcome = await self._run(tenant, submission, self._options)
        except FlowcageError as error:
            raise _told(error) from error
        return _json(200, outcome.to_json())

    async def statistics(self) -> Response:
        """``GET /statistics``: of the tenant's own runs."""
        tally = self._host.tenant_statistics(self._tenant())
        return _json(200, vars(tally) | {"refused": dict(tally.refused), "ended": dict(tally.ended)})

    async def health(self) -> Response:
        """``GET /health``: answers while the service does."""
        return _json(200, {"status": "ok"})

    def _tenant(self) -> str:
        return self._tenants.authenticate(request.headers.get("Authorization", ""))

    async def _run(self, tenant: str, submission: Submission, options: RunOptions) -> Outcome:
        source, args, limits = submission
        try:
            options = self._host.options(None, limits, options)
        except ValueError as error:  # such as a fraction of a byte
            raise Problem(422, "invalid-submission", str(error)) from None
        return await self._host.run(source, tenant=tenant, args=args, options=options)

    async def _stream(self, tenant: str, submission: Submission) -> Response:
        feed = Feed()

        async def fill() -> None:
            try:
                feed.end(await self._run(tenant, submission, replace(self._options, listener=feed.events)))
            except (FlowcageError, Problem) as error:
                feed.end(_told(error))

        request.nursery.start_soon(fill)  # type: ignore[attr-defined]  # a proxy of an `OwningRequest`
        return Response(feed.frames(await feed.first()), content_type="text/event-stream")


def _told(error: FlowcageError | Problem) -> Problem:
    problem = error if isinstance(error, Problem) else problem_of(error)
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, HostClosing):
        _log.error("answered with %d", problem.status, exc_info=error)
    return problem


async def _answer_problem(problem: Problem) -> Response:
    if problem.status == HTTPStatus.TOO_MANY_REQUESTS:
        await trio.sleep(REFUSAL_SECONDS)
    return _json(problem.status, problem.body, problem.headers, "application/problem+json")


async def _answer_http_error(error: HTTPException) -> Response:
    name = error.name.lower().replace(" ", "-")
    headers = {key: value for key, value in error.get_headers() if key != "Content-Type"}
    return await _answer_problem(Problem(error.code or 500, name, error.description or error.name, headers))


def _json(
    status: int,
    body: Mapping[str, Any],
    headers: Mapping[str, str] = NOTHING,
    content_type: str = "application/json",
) -> Response:
    text = json_text.dumps(body) + "\n"
    return Response(text, status, dict(headers), content_type=content_type)
