"""Trio programs run to their end from plain code, with signals told as signals."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from flowcage.host.outcome.errors import FlowcageError
from flowcage.host.outcome.verdict import HOST_SHUTDOWN

T = TypeVar("T")


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


def run_to_end_or_signal(function: Callable[[], Awaitable[T]]) -> T:
    """The same for a command: SIGTERM and SIGHUP cancel the function as Ctrl-C does.

    Raises:
        Terminated: by one of the two.
    """
    received: list[int] = []

    async def watch(scope: trio.CancelScope) -> None:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGHUP) as signals:
            async for number in signals:
                received.append(number)
                scope.cancel(reason=HOST_SHUTDOWN)

    async def main() -> T:
        failure: FlowcageError | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, nursery.cancel_scope)
            try:
                result = await function()
            except FlowcageError as error:  # raised outside the nursery, which would wrap it in a group
                failure = error
            nursery.cancel_scope.cancel()
        if received:
            raise Terminated(received[0])
        if failure is not None:
            raise failure
        return result

    return run_to_end(main)
