"""Events of one run with its child workflows, as its listener hears them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from flowcage.host.events import records
from flowcage.host.outcome.errors import FlowcageError, HandlerFailed
from flowcage.host.run.node import Node
from flowcage.host.run.options import RunOptions


class Telling:
    """Tells the listener, if there is one.

    Args:
        options: of the root.
        tenant: its name.
        seconds: since the root run began.
        fail: ends a run whose listener raises.
        emitted: how many events were told in this process before.

    Attributes:
        emitted: how many there are by now.
        is_silent: whether nothing is told any more.
    """

    def __init__(
        self,
        options: RunOptions,
        tenant: str,
        seconds: Callable[[], float],
        fail: Callable[[Node, HandlerFailed], None],
        emitted: int = 0,
    ) -> None:
        self._options = options
        self._tenant = tenant
        self._seconds = seconds
        self._fail = fail
        self.emitted = emitted
        self.is_silent = False

    def emit(self, node: Node, kind: str, members: Mapping[str, Any]) -> None:
        """Tell of one event. A listener that raises ends the run as `HandlerFailed`."""
        listener = self._options.listener
        if listener is None or self.is_silent:
            return
        try:
            listener(self._event(node, kind, members))
        except Exception as error:
            said = str(error) if isinstance(error, FlowcageError) else shown(error)
            failure = HandlerFailed(f"the listener failed: {said}")
            failure.__cause__ = error
            self._fail(node.root, failure)

    def _event(self, node: Node, kind: str, members: Mapping[str, Any]) -> records.Event:
        self.emitted += 1
        if kind == "question_answered" and self._options.withhold_values:
            members = {name: value for name, value in members.items() if name != "value"}
        if kind == "agent_completed":
            members = records.of_answer(members, withhold_value=self._options.withhold_values)
        return records.BY_TYPE[kind](
            run_id=node.id,
            at=round(self._seconds(), 6),
            seq=self.emitted,
            time=datetime.now(UTC).isoformat(timespec="microseconds"),
            root_run_id=node.root.id,
            tenant=self._tenant,
            **members,
        )


def shown(error: Exception) -> str:
    """An error of somebody else's."""
    try:
        return repr(error)
    except Exception:  # the class is somebody else's
        return f"{type(error).__name__}, which has no text"
