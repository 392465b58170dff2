"""What a run may use of its tenant's, beside what is its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import NamedTuple

import trio

from flowcage.host.run.slots import Slots


def _uncharged(_pid: int, _inherited_bytes: int) -> AbstractContextManager[None]:
    return nullcontext()


class Share(NamedTuple):
    """Of one run with its child workflows.

    Attributes:
        tenant: its name in events.
        slots: that the tenant's runs share, by kind of request; each request at work needs one.
        checkers: slots for the checks of schemas; None for some of the run's own.
        process: entered with the id of each process and the memory it inherited, left when that has ended.
    """

    tenant: str = ""
    slots: Mapping[str, Slots] = MappingProxyType({})
    checkers: trio.CapacityLimiter | None = None
    process: Callable[[int, int], AbstractContextManager[None]] = _uncharged
