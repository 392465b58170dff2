"""Calls made where their event loop is not, or where another one runs: told with what to do instead."""

from __future__ import annotations

import sys

import trio

from flowcage.host.outcome.errors import WrongEventLoop

_TO_THREAD = "await asyncio.to_thread(run_workflow_blocking, source)"
_PORTAL = "anyio's start_blocking_portal('trio')"
_PAGE = "docs/host.md, 'asyncio and threads', shows both"


def require_trio(call: str) -> None:
    """Refuse a call outside of trio, where its first await would fail with words that help nobody.

    Raises:
        WrongEventLoop: trio does not run here.
    """
    if trio.lowlevel.in_trio_run():
        return
    if _in_asyncio():
        raise WrongEventLoop(
            f"{call} needs trio, and this is an asyncio event loop: for a single run {_TO_THREAD}; "
            f"for many keep a Host in a thread of its own, with {_PORTAL}; {_PAGE}"
        )
    raise WrongEventLoop(f"{call} needs trio, which does not run here: call it in trio.run(…)")


def require_no_event_loop(call: str) -> None:
    """Refuse a call that would hold up the event loop of this thread.

    Raises:
        WrongEventLoop: one runs.
    """
    if trio.lowlevel.in_trio_run():
        raise WrongEventLoop(f"{call} would hold up this trio event loop: await run_workflow(…) instead")
    if _in_asyncio():
        raise WrongEventLoop(
            f"{call} would hold up this asyncio event loop: {_TO_THREAD} instead, or use {_PORTAL}; {_PAGE}"
        )


def _in_asyncio() -> bool:
    asyncio = sys.modules.get("asyncio")  # not imported by anybody: then it does not run
    try:
        return asyncio is not None and asyncio.get_running_loop() is not None
    except RuntimeError:
        return False
