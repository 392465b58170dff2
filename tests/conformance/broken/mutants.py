"""Children that are broken in one way, by the id of the check they must fail, or ``ID: WHAT``."""

from __future__ import annotations

from .mutant import Mutant
from .of_checks import OF_CHECKS
from .of_engine import OF_ENGINE
from .of_handshake import OF_HANDSHAKE
from .of_joined import OF_JOINED
from .of_modules import OF_MODULES
from .of_replayed import OF_REPLAYED
from .of_runs import OF_RUNS
from .of_wire import OF_WIRE


def check_of(broken: str) -> str:
    """The id of the check that a mutant must fail."""
    return broken.partition(": ")[0]


MUTANTS: dict[str, Mutant] = {
    **OF_WIRE,
    **OF_HANDSHAKE,
    **OF_RUNS,
    **OF_JOINED,
    **OF_REPLAYED,
    **OF_CHECKS,
    **OF_MODULES,
    **OF_ENGINE,
}
