"""Requests of the host to one client, until each is answered or waited for no longer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import trio

from flowcage.host.agents.call import AgentCall
from flowcage.host.rpc.wire import MAX_MESSAGE_BYTES, ClientGone
from flowcage.protocol import envelope
from flowcage.protocol.envelope import Answer


class Unsendable(Exception):
    """A request is longer than a client takes; the message says so."""


class Open:
    """One that waits.

    Attributes:
        call: the agent's, where it is one.
        why: says why it is given up, where it is.
    """

    def __init__(self, call: AgentCall | None, why: Callable[[], str]) -> None:
        self.call = call
        self.why = why
        self.done = trio.Event()
        self.answer: dict[str, Any] | None = None


class Asks:
    """Those of one client.

    Args:
        send: waits until a line is taken.
        notify: has a line sent some time, without waiting.
    """

    def __init__(self, send: Callable[[bytes], Awaitable[None]], notify: Callable[[bytes], None]) -> None:
        self._send = send
        self._notify = notify
        self._ids = count(1)
        self._open: dict[int, Open] = {}
        self._is_over = False

    def get(self, identifier: object) -> Open | None:
        """The one that waits under this id."""
        return self._open.get(identifier) if type(identifier) is int else None

    async def ask(
        self,
        method: str,
        params: dict[str, Any],
        call: AgentCall | None = None,
        why: Callable[[], str] = lambda: "ended",
    ) -> dict[str, Any]:
        """Send a request, and wait for its answer: the object that has `result` or `error`.

        Args:
            method, params: of the request.
            call: the agent's, where it is one.
            why: says why the answer is waited for no longer, when it is not.

        Raises:
            ClientGone: nobody will answer.
            Unsendable: it is too long.
        """
        if self._is_over:
            raise ClientGone("")
        identifier = next(self._ids)
        line = envelope.request(identifier, method, params)
        if len(line) > MAX_MESSAGE_BYTES:
            raise Unsendable(f"{method}: {len(line):,} bytes, more than a client takes")
        asked = self._open[identifier] = Open(call, why)
        is_sent = False
        try:
            await self._send(line)
            is_sent = True
            await asked.done.wait()
        finally:
            del self._open[identifier]
            if is_sent and not asked.done.is_set():
                self._notify(_cancelled(identifier, asked))
        if asked.answer is None:
            raise ClientGone("")
        return asked.answer

    def settle(self, answer: Answer) -> None:
        """Take an answer; of one that nobody waits for nothing is made."""
        asked = self.get(answer.id)
        if asked is not None and not asked.done.is_set():
            asked.answer = answer.members
            asked.done.set()

    def end(self) -> None:
        """Wait for no answer any more."""
        self._is_over = True
        for asked in self._open.values():
            asked.done.set()


def _cancelled(identifier: int, asked: Open) -> bytes:
    is_late = asked.call is not None and trio.current_time() >= asked.call.deadline
    reason = "timeout" if is_late else asked.why()
    return envelope.notification("request.cancelled", {"id": identifier, "reason": reason})
