"""One workflow of a run's tree, as the driver and whoever talks to its child share it."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Any, TypeAlias

import trio

from flowcage.host.outcome.errors import RunError
from flowcage.host.run.core.commands import Finish, Verdict
from flowcage.host.run.options import Caller, RunOptions
from flowcage.host.run.phases import PhaseDefaults
from flowcage.protocol.messages import Resolve

_TASK_NAME = "flowcage request"
Task: TypeAlias = Callable[..., Awaitable[None]]

_NANOSECONDS_PER_MILLISECOND = 1_000_000


def new_run_id() -> str:
    """A UUID of version 7 (RFC 9562, sections 5.7 and 6.2): milliseconds, 4,096ths of one, 62 random bits."""
    milliseconds, rest = divmod(time.time_ns(), _NANOSECONDS_PER_MILLISECOND)
    fraction = (rest << 12) // _NANOSECONDS_PER_MILLISECOND
    head = (milliseconds << 80) | (7 << 76) | (fraction << 64) | (0b10 << 62)
    digits = f"{head | int.from_bytes(os.urandom(8), 'big') >> 2:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def run_id_below(root: str, path: str) -> str:
    """The id of a child workflow of a run that is kept, on each host the same: a UUID of version 8."""
    digits = hashlib.blake2b(f"{root}/{path}".encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"


class Node:
    """What the driver leaves for the task that listens to the child, and where it starts tasks.

    Attributes:
        id: the run's name in events.
        path: in the tree; "" for the root.
        source_name: name of the source in stacks; a path where the workflow came from a file.
        options: of this workflow; those of a child workflow have the CPU that is left.
        parent: None for the root.
        bounded: around launch and conversation, until the timeout; cancelled where something else decides.
        is_stopped: whether it was something else, and came before the timeout.
        finish: how the workflow ended, where the core says so.
        failure: why the run must end, where the host found out.
        failed_behind: of a root, whether a workflow has ended whose child was not where an earlier one was.
    """

    def __init__(
        self, run_id: str, path: str, source_name: str, options: RunOptions, parent: Node | None
    ) -> None:
        self.id = run_id
        self.path = path
        self.source_name = source_name
        self.options = options
        self.parent = parent
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.phase_defaults = PhaseDefaults()
        self.bounded = trio.CancelScope(relative_deadline=options.timeout_seconds)
        self.is_stopped = False
        self.finish: Finish | None = None
        self.failure: RunError | None = None
        self.failed_behind = False
        self._nursery: trio.Nursery | None = None
        self._is_closed = False

    @property
    def root(self) -> Node:
        """The workflow that the host started."""
        return self if self.parent is None else self.parent.root

    @property
    def is_failing(self) -> bool:
        """Whether it, or a workflow that it is below, was abandoned; its nursery is cancelled soon."""
        return self.failure is not None or (self.parent is not None and self.parent.is_failing)

    def caller(self, request: str) -> Caller:
        """This workflow as the handler of one of its requests sees it."""
        raise NotImplementedError

    def tell(self, resolves: tuple[Resolve, ...]) -> None:
        """Send resolutions to the child, and let it run."""
        raise NotImplementedError

    def nap(self) -> bool:
        """End the quiet child until there is something to tell; False where it must stay."""
        raise NotImplementedError

    def over(self, finish: Finish) -> None:
        """Take how the workflow ended."""
        self.finish = finish
        if finish.verdict is not Verdict.COMPLETED:  # else the child has just said so, and nobody waits
            self._stop()

    def abandon(self, failure: RunError) -> None:
        """Have the run end with this failure: no answer matters any more."""
        self.failure = self.failure or failure
        self._stop()

    def _stop(self) -> None:
        if self._is_closed:  # its end is decided, and the child is about to be reaped
            return
        self.is_stopped = self.is_stopped or not self.bounded.cancel_called
        self.bounded.cancel()

    def check(self) -> None:
        """Raise what `abandon` was given."""
        if self.failure is not None:
            raise self.failure

    def open(self, nursery: trio.Nursery) -> None:
        """Start tasks in this nursery from now on.

        A slot is given back by any task of any run; what it starts must not inherit that one's variables.
        """
        self._nursery = nursery
        self._context = copy_context()

    def close(self) -> None:
        """Start nothing any more, and let nothing stop it: the conversation is over."""
        self._nursery, self._is_closed = None, True

    def spawn(self, task: Task, *args: Any) -> bool:
        """Start a task; False where the workflow is being ended."""
        if self._nursery is None:
            return False
        # With a name, since trio would look for one.
        self._context.run(self._nursery.start_soon, task, *args, name=_TASK_NAME)
        return True
