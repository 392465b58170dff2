"""What one run writes to its store: inputs are gathered here and appended in groups.

`record` has the form that a run's driver calls with each input before the core has it. It only gathers: an
input is encoded at once, because a value in it is the handler's and may change later, and is given to the
store with `flush`. Entries are numbered here without a gap, and the store refuses any other number.

The order that keeps a run from asking twice: `flush` and await the ticket, then begin what was commanded.
"""

from __future__ import annotations

from flowcage.host.durable.records import EncodedEntry
from flowcage.host.durable.store import Store
from flowcage.host.durable.ticket import Ticket
from flowcage.host.run.core.inputs import Answered, Input, Refused


class Journal:
    """Of one run, for as long as this host has it.

    Args:
        store: that keeps it.
        run_id, epoch: of the claim.
        seq: number of the next entry: how many there are.

    Attributes:
        seq: number of the next entry.
    """

    def __init__(self, store: Store, run_id: str, epoch: int, seq: int = 0) -> None:
        self._store = store
        self.run_id = run_id
        self.epoch = epoch
        self.seq = seq
        self._outside: set[str] = set()
        self._gathered: list[EncodedEntry] = []
        self._took: list[str] = []

    def record(self, now: float, given: Input) -> None:
        """Gather one input.

        Raises:
            Unstorable: it holds what is no JSON.
        """
        self._gathered.append(EncodedEntry(now, self._store.encode(given)))
        if isinstance(given, Answered | Refused) and given.id in self._outside:
            self._outside.discard(given.id)
            self._took.append(given.id)

    def expect_outside(self, request: str) -> None:
        """The next answer for this request comes from the store: its row is taken in with the entry."""
        self._outside.add(request)

    def discard_outside(self, request: str) -> None:
        """An answer from the store is of no use to the run: its row is taken in without an entry."""
        self._took.append(request)

    @property
    def is_written(self) -> bool:
        """Whether nothing is gathered."""
        return not (self._gathered or self._took)

    def flush(self) -> Ticket[None]:
        """Have all that was gathered written; what was given before is durable no later than this."""
        gathered, took = self._gathered, tuple(self._took)
        self._gathered, self._took = [], []
        ticket = self._store.append(self.run_id, self.epoch, self.seq, gathered, took)
        self.seq += len(gathered)
        return ticket
