"""The journal of a run that a store keeps: which inputs are written, and when.

Not all that happens to a run is to be gone on from. What ends it from outside, such as Ctrl-C, the end of its
time or a fault of the host's program, ends its workflows and is no part of its history:

- That the root has ended, or that a handler of its has failed, is not written at all.
- That a child workflow has ended, or that a handler of its has failed, is held back until something happens
  that may follow from it. It ends with its root mostly, and then nothing follows.
- From the moment on at which the root is being ended, nothing follows from it but the answer of the request
  that it was run for: siblings have inputs until the cancellation has reached them, too.
"""

from __future__ import annotations

from collections.abc import Callable

from flowcage.host.durable.errors import StoreError, StoreFailed
from flowcage.host.durable.journal import Journal
from flowcage.host.durable.records import NewWorkflow
from flowcage.host.durable.store import Store
from flowcage.host.durable.ticket import Ticket
from flowcage.host.resume.fold import history_of
from flowcage.host.resume.made_by import made_by
from flowcage.host.run.core.inputs import (
    Answered,
    Charged,
    Ended,
    Failed,
    Input,
    Lived,
    Refused,
    Reused,
    Told,
)
from flowcage.host.run.past.journal import Begun
from flowcage.host.run.past.past import PastWorkflow
from flowcage.protocol import strictjson


class Keeper:
    """See `flowcage.host.run.past.journal.Journal`.

    Args:
        store: that keeps the run.
        run_id, epoch: of the claim.
        seq: number of the next entry.

    Attributes:
        is_being_ended: whether the run is being ended from outside.
    """

    def __init__(self, store: Store, run_id: str, epoch: int, seq: int = 0) -> None:
        self._store = store
        self._journal = Journal(store, run_id, epoch, seq)
        self._ticket: Ticket[None] | None = None
        self._held: list[tuple[float, Ended | Failed]] = []
        self.is_being_ended: Callable[[], bool] = lambda: False
        self.run_id = run_id
        self.epoch = epoch

    def record(self, now: float, given: Input) -> None:
        if isinstance(given, Ended | Failed) and not given.path:
            return
        if isinstance(given, Ended | Failed):
            self._held.append((now, given))
            return
        self._write_what_led_to(given)
        self._journal.record(now, given)

    def _write_what_led_to(self, given: Input) -> None:
        if not self._held or isinstance(given, Charged | Told | Lived):
            return
        held, self._held = self._held, []
        is_being_ended = self.is_being_ended()
        for at, ended in held:
            if not is_being_ended or _settles(given, ended.path):
                self._journal.record(at, ended)
            else:
                self._held.append((at, ended))

    def begin(self, begun: Begun) -> None:
        if begun.path:  # the root is written with its run
            self.flush()  # that it was opened, and for what
            self._store.add_workflow(self.run_id, self.epoch, workflow_of(begun))

    def expect_outside(self, request: str) -> None:
        self._journal.expect_outside(request)

    def discard_outside(self, request: str) -> None:
        self._journal.discard_outside(request)
        self.flush()

    async def turn_away(self, request: str) -> None:
        """Drop an answer from the store that is none to its question. Raises `RunError` of the store's."""
        await self._store.turn_away(self.run_id, self.epoch, request)

    async def past(self, path: str) -> PastWorkflow:
        await self.kept()
        try:
            return history_of(await self._store.load(self.run_id)).workflows[path]
        except (StoreError, KeyError) as error:
            raise StoreFailed(f"the run cannot go on from what its store has: {error}") from error

    def flush(self) -> None:
        self._flushed()

    async def kept(self) -> None:
        await self._flushed()

    def _flushed(self) -> Ticket[None]:
        """Of all that was taken. Ten calls that begin at once wait for one ticket."""
        if self._ticket is None or not self._journal.is_written:
            self._ticket = self._journal.flush()
        return self._ticket


def _settles(given: Input, path: str) -> bool:
    """Whether an input is the answer of the request that a workflow was run for, or of one above it."""
    if not isinstance(given, Answered | Refused | Reused):
        return False
    return path == given.id or path.startswith((f"{given.id}/", f"{given.id}."))


def workflow_of(begun: Begun) -> NewWorkflow:
    """A workflow as a store has it."""
    args = strictjson.dumps_ascii(begun.args)
    return NewWorkflow(
        begun.path,
        begun.source,
        begun.source_name,
        args,
        begun.dialect,
        begun.budget,
        begun.limits,
        made_by(),
        modules=begun.modules,
    )
