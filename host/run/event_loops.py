"""Between trio and other programs: the loop that a call needs, and trio run to its end from plain code."""

from __future__ import annotations

import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import trio

from flowcage.host.outcome.errors import FlowcageError, WrongEventLoop
from flowcage.host.outcome.verdict import HOST_SHUTDOWN

T = TypeVar("T")

_ON_ASYNCIO = "import the same name from flowcage.asyncio"


def require_trio(call: str) -> None:
    """Refuse a call outside of trio, where its first await would fail with words that help nobody.

    Raises:
        WrongEventLoop: trio does not run here.
    """
    if trio.lowlevel.in_trio_run():
        return
    if _in_asyncio():
        raise WrongEventLoop(f"{call} needs trio, and this is an asyncio event loop: {_ON_ASYNCIO}")
    raise WrongEventLoop(f"{call} needs trio, which does not run here: call it in trio.run(…)")


def require_asyncio(call: str) -> None:
    """Refuse a call outside of asyncio.

    Raises:
        WrongEventLoop: asyncio does not run here.
    """
    if trio.lowlevel.in_trio_run():
        raise WrongEventLoop(f"{call} is for asyncio, and this is trio: import it from flowcage")
    if not _in_asyncio():
        raise WrongEventLoop(f"{call} needs asyncio, which does not run here: call it in asyncio.run(…)")


def require_no_event_loop(call: str) -> None:
    """Refuse a call that would hold up the event loop of this thread.

    Raises:
        WrongEventLoop: one runs.
    """
    if trio.lowlevel.in_trio_run():
        raise WrongEventLoop(f"{call} would hold up this trio event loop: await run_workflow(…) instead")
    if _in_asyncio():
        raise WrongEventLoop(
            f"{call} would hold up this asyncio event loop: await run_workflow(…) of flowcage.asyncio instead"
        )


def _in_asyncio() -> bool:
    asyncio = sys.modules.get("asyncio")  # not imported by anybody: then it does not run
    try:
        return asyncio is not None and asyncio.get_running_loop() is not None
    except RuntimeError:
        return False


class Terminated(BaseException):
    """A signal asked the program to end; everything was cancelled, killed and reaped first."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def run_to_end(function: Callable[[], Awaitable[T]]) -> T:
    """Run an async function.

    Raises:
        KeyboardInterrupt: bare, not in the group that a nursery makes of it.
    """
    try:
        # At checkpoints only: an interrupt in the middle of a second one's clean-up could leave a child.
        return trio.run(function, restrict_keyboard_interrupt_to_checkpoints=True)
    except BaseExceptionGroup as group:
        if group.subgroup(KeyboardInterrupt) is not None:
            raise KeyboardInterrupt from None
        raise


def run_to_end_or_signal(
    function: Callable[[], Awaitable[T]], signals: Sequence[signal.Signals] = (signal.SIGTERM, signal.SIGHUP)
) -> T:
    """The same for a command: SIGTERM and SIGHUP cancel the function as Ctrl-C does.

    Args:
        function: the work.
        signals: others than these two; a service ends by SIGINT as by SIGTERM.

    Raises:
        Terminated: by one of them. Further ones changed nothing.
    """
    received: list[int] = []

    async def main() -> T:
        try:
            with _cancelled_by(signals, received):
                result = await function()
        except FlowcageError:
            if not received:
                raise
        if received:
            raise Terminated(received[0])
        return result

    return run_to_end(main)


@contextmanager
def _cancelled_by(signals: Sequence[signal.Signals], received: list[int]) -> Iterator[None]:
    """Cancel the block by the first of these signals; a second one does nothing, also while it is left."""
    token, scope = trio.lowlevel.current_trio_token(), trio.CancelScope()
    cancel = partial(scope.cancel, reason=HOST_SHUTDOWN)

    def hear(number: int, _frame: object) -> None:
        received.append(number)
        token.run_sync_soon(cancel, idempotent=True)

    before = {number: signal.signal(number, hear) for number in signals}
    try:
        with scope:
            yield
    finally:
        for number, handler in before.items():  # one that comes on the way out would change the exit status
            signal.signal(number, signal.SIG_IGN if received else handler)
