"""Runs that a request begins: one that outlives it, or one that its client waits for and takes along."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import anyio
from starlette.requests import Request
from starlette.types import Receive

from flowcage.host.asgi.ending import is_ending
from flowcage.host.asgi.side import Side
from flowcage.host.asgi.submission import Submission
from flowcage.host.outcome.ending import failure_to_json
from flowcage.host.outcome.errors import FlowcageError, HostClosing, RunError
from flowcage.host.outcome.report import Outcome
from flowcage.host.run.options import RunOptions
from flowcage.host.tenants.named_runs import RunIdInUse
from flowcage.host.ui.api.problems import Problem, problem_of

T = TypeVar("T")

_LOGGER = logging.getLogger("flowcage.asgi")


async def start(side: Side, tenant: str, asked: Submission, options: RunOptions | None) -> dict[str, Any]:
    """Start a run in a task of the host's."""
    with what_is_wrong():
        handle = await side.host.start(tenant=tenant, options=options, **asked._asdict())
    return {"runId": handle.run_id, "state": handle.state}


async def carry_out(
    side: Side, tenant: str, asked: Submission, options: RunOptions | None, request: Request
) -> dict[str, Any]:
    """Carry a run out while its client waits; it ends with the client. Raises as `waited_for`."""
    given = asked._asdict()
    del given["key"]
    return await waited_for(asked, request, lambda: side.host.run(tenant=tenant, options=options, **given))


async def waited_for(
    asked: Submission, request: Request, function: Callable[[], Awaitable[Outcome]]
) -> dict[str, Any]:
    """What a function comes to, which carries a run out, for a client that waits; it ends with the client.

    Raises:
        Problem: it has no result.
        HostClosing: the server has no more time for it.
    """
    if asked.key is not None:
        raise Problem(422, "key: a run that its client waits for has none; leave ?wait out")
    try:
        with what_is_wrong():
            outcome = await _while_there(request.receive, function)
    except RunError as error:
        raise _told(error) from error
    except asyncio.CancelledError:
        if not is_ending():
            raise
        raise HostClosing from None  # uvicorn would answer with 500, and a traceback in the log
    return outcome.to_json()


@contextmanager
def what_is_wrong() -> Iterator[None]:
    """A block whose errors about its arguments are told to the client, whose arguments they are."""
    try:
        yield
    except RunIdInUse as error:
        raise Problem(409, str(error)) from None
    except (TypeError, ValueError) as error:  # such as half of a byte
        raise Problem(422, str(error)) from None


def _told(error: RunError) -> Problem:
    """What a client is told of a run without a result; what is the host's is for its log."""
    of_store = problem_of(error)
    status = error.verdict.http_status if of_store is None else of_store.status
    if status < 500:
        return Problem(status, str(error), more=failure_to_json(error, error.report))
    _LOGGER.error("answered with %d", status, exc_info=error)
    told = {"runId": error.report.run_id, "verdict": error.verdict}
    return Problem(status, "the service could not carry out the workflow; its log says more", more=told)


async def _while_there(receive: Receive, function: Callable[[], Awaitable[T]]) -> T:
    """Await a function, and cancel it when the client is gone.

    Raises:
        Problem: it was cancelled; nobody reads that.
    """
    given: list[T] = []
    raised: list[Exception] = []

    async def until_gone(scope: anyio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(until_gone, group.cancel_scope)
        try:
            given.append(await function())
        except (
            FlowcageError,
            TypeError,
            ValueError,
        ) as error:  # the group would wrap it
            raised.append(error)
        group.cancel_scope.cancel()
    if raised:
        raise raised[0]
    if not given:
        raise Problem(499, "the client is gone")
    return given[0]
