"""From what an endpoint gives, or raises, to a response; and from a request to its JSON.

Endpoints are the host's, so they run on trio. The server may run on asyncio: `Call` takes one to the other.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar

import anyio
from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from flowcage.host.ui.api.problems import KIND, NOTHING, Problem, problem_of
from flowcage.protocol import strictjson

T = TypeVar("T")

_LOGGER = logging.getLogger("flowcage.api")

BODY_BYTES = 16 * 1024 * 1024
BODY_SECONDS = 30.0


class Call(Protocol):
    """Awaits a function of the host from the event loop of the server."""

    async def __call__(self, function: Callable[[], Awaitable[T]], /) -> T: ...


async def directly(function: Callable[[], Awaitable[T]], /) -> T:
    """Where the server runs on trio, too."""
    return await function()


def told(endpoint: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Any]]:
    """An endpoint that gives a value, or raises, as one that gives a response."""

    async def answered(request: Request) -> Any:
        try:
            value = await endpoint(request)
        except ClientDisconnect:
            return Response(status_code=400)
        except HTTPException as error:
            problem: Problem | None = Problem(error.status_code, error.detail, error.headers or {})
        except Exception as error:
            problem = problem_of(error)
            if problem is None:
                raise
            if problem.status == 500 and problem is not error:
                _LOGGER.error("answered with 500", exc_info=error)
        else:
            is_json = isinstance(value, dict | list)
            return await to_thread.run_sync(as_json, value) if is_json else value
        assert problem is not None
        return refusal(problem)

    return answered


def refusal(problem: Problem) -> Response:
    """The response that tells of a problem."""
    return as_json(problem.to_json(), problem.status, problem.headers, KIND)


def as_json(
    value: Any, status: int = 200, headers: Mapping[str, str] = NOTHING, kind: str = "application/json"
) -> Response:
    """A response with this value."""
    return Response(strictjson.dumps(value), status, dict(headers), media_type=kind)


async def body(
    request: Request, most_bytes: int = BODY_BYTES, most_seconds: float = BODY_SECONDS
) -> dict[str, Any]:
    """The JSON object of a request.

    Args:
        request: whose body was not read.
        most_bytes: that it may have.
        most_seconds: that the client may take.

    Raises:
        Problem: it is none, or too large, or comes too slowly.
    """
    data, length = bytearray(), 0
    with anyio.move_on_after(most_seconds) as taking:
        async for chunk in request.stream():
            length += len(chunk)
            if length <= most_bytes:  # all is read, or the connection ends with the answer
                data += chunk
    if taking.cancelled_caught:
        raise Problem(408, f"the body took more than {most_seconds:g} seconds")
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Problem(415, "expected application/json")
    if length > most_bytes:
        raise Problem(413, f"at most {most_bytes:,} bytes")
    try:
        value = strictjson.loads(bytes(data) or b"{}")
    except (ValueError, RecursionError) as error:
        raise Problem(400, f"this is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise Problem(400, "expected an object")
    return value
