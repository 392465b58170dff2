"""One workflow, from asyncio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

from flowcage.host.on_asyncio.crossing import in_host
from flowcage.host.on_asyncio.handlers import at
from flowcage.host.on_asyncio.place import Place
from flowcage.host.resume.api import run_workflow as run_on_trio
from flowcage.host.resume.replay import replay as replay_on_trio
from flowcage.host.run.api import check_workflow as check_on_trio
from flowcage.host.run.event_loops import require_asyncio
from flowcage.host.tenants.working.submitting import submit_workflow as submit_on_trio
from flowcage.host.workflows.siblings import sibling_modules as siblings_on_trio

P = ParamSpec("P")
T = TypeVar("T")


def _on_asyncio(function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """The same function for asyncio; its handlers run on the caller's loop."""

    @wraps(function)
    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        require_asyncio(f"{function.__name__}()")
        place = Place.here()
        given = {name: at(place, each) for name, each in kwargs.items()}
        return await in_host(partial(function, *(at(place, each) for each in args), **given))

    return call


run_workflow = _on_asyncio(run_on_trio)
check_workflow = _on_asyncio(check_on_trio)
replay = _on_asyncio(replay_on_trio)
sibling_modules = _on_asyncio(siblings_on_trio)
submit_workflow = _on_asyncio(submit_on_trio)
