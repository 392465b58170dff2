"""What a store refuses, and how a run ends that its store cannot keep.

`Fenced` and `StoreFailed` end a run, so they are `RunError`s: they pass through `Run` as they are. The others
answer whoever asked the store for something.
"""

from __future__ import annotations

from collections.abc import Sequence

from flowcage.host.outcome.errors import FlowcageError, RunError
from flowcage.host.outcome.verdict import Verdict


class Fenced(RunError):
    """Another host has claimed the run: nothing that this one writes for it counts any more.

    Attributes:
        run_id, epoch: of the write that was refused.
    """

    child_alive = True
    ends_run = True

    def __init__(self, run_id: str, epoch: int) -> None:
        super().__init__(
            f"run {run_id} belongs to another host now: it was claimed after this one's epoch {epoch}"
        )
        self.run_id = run_id
        self.epoch = epoch


class RunExpired(RunError):
    """The run was to be woken, or gone on with, after the time at which it expires."""

    child_alive = True
    verdict = Verdict.EXPIRED

    def __init__(self, expires_at: str) -> None:
        super().__init__(f"the run expired at {expires_at}, before it was over")
        self.expires_at = expires_at


class StoreFailed(RunError):
    """The store takes nothing more, so the run could not go on; what was written can be resumed.

    Attributes:
        is_final: whether it will take nothing before it is opened again.
    """

    child_alive = True
    ends_run = True

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


class TooLarge(StoreFailed):
    """A run, or all runs of a tenant together, would take more bytes in the store than its cap allows.

    Attributes:
        cap: which one, ``run_bytes`` or ``tenant_bytes``.
        most: bytes.
    """

    def __init__(self, whose: str, cap: str, most: int) -> None:
        super().__init__(f"{whose} would take more than {most:,} bytes in the store, its cap {cap}")
        self.cap = cap
        self.most = most


class StoreError(FlowcageError):
    """Base of what a store refuses."""


class WrongStore(StoreError):
    """The file or database is no store that this version can use; the message says what to do."""


class NoStore(WrongStore):
    """There is none at this place, and none is made."""


class DamagedStore(WrongStore):
    """It was a store, and parts of it are missing or changed."""


class DamagedEntry(DamagedStore):
    """One entry of a run cannot be read: it is damaged, foreign, or of a later version.

    Attributes:
        run_id, seq: of the entry; `seq` is None for what belongs to the run as a whole.
        why: what is wrong with it.
    """

    def __init__(self, run_id: str, seq: int | None, why: str) -> None:
        place = "" if seq is None else f", entry {seq}"
        super().__init__(f"run {run_id}{place}: {why}")
        self.run_id = run_id
        self.seq = seq
        self.why = why


class Locked(WrongStore):
    """The store is encrypted, and the key is not there that is needed.

    Attributes:
        key: its name; "" where it has none.
    """

    def __init__(self, key: str, given: Sequence[str] = ()) -> None:
        which = f" with the key {key!r}" if key else ""
        lacking = f", which is not among those given ({', '.join(given)})" if given else ""
        how = "--keys FILE, FLOWCAGE_STORE_KEYS, or StoreOptions(sealer=Keyring(...))"
        super().__init__(f"the store is encrypted{which}{lacking}; give it by {how}")
        self.key = key


class WrongKeys(StoreError):
    """What was given as keys of a store is none; the message has no part of one."""


class UnknownRun(StoreError):
    """No run has this id, or this prefix of one.

    Attributes:
        run_id: as it was given.
    """

    def __init__(self, run_id: str) -> None:
        super().__init__(f"the store has no run {run_id[:80]!r}")
        self.run_id = run_id


class AmbiguousRun(StoreError):
    """Several ids begin with this prefix.

    Attributes:
        prefix: as it was given.
        found: ids, at most ten.
    """

    def __init__(self, prefix: str, found: Sequence[str]) -> None:
        super().__init__(f"several runs begin with {prefix!r}: {', '.join(found)}; give more of the id")
        self.prefix = prefix
        self.found = tuple(found)


class RunIsOpen(StoreError):
    """The run has not ended, so it is kept."""

    def __init__(self, run_id: str, state: str) -> None:
        super().__init__(f"run {run_id} is {state}; cancel it first")
        self.run_id = run_id
        self.state = state


class RunIsReused(StoreError):
    """Forks of the run refer to what it was answered, so it is kept as long as they are."""

    def __init__(self, run_id: str, forks: Sequence[str]) -> None:
        super().__init__(f"run {run_id} is reused by {', '.join(forks)}; remove these first")
        self.run_id = run_id
        self.forks = tuple(forks)


class RunHasEnded(StoreError):
    """An answer or a request to cancel came after the run's end."""

    def __init__(self, run_id: str, verdict: str | None) -> None:
        super().__init__(f"run {run_id} has ended: {verdict or 'without a verdict'}")
        self.run_id = run_id


class AlreadyThere(StoreError):
    """A run with this id, a start with this key, or a workflow at this path is there, and is another one."""


class Unstorable(StoreError):
    """A name or a value has no form in a store, such as an id with a NUL or a number that is no JSON."""
