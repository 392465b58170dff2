"""For the id of every check, a child that is broken in just that way."""

from __future__ import annotations

from .mutant import Mutant
from .of_engine import OF_ENGINE
from .of_handshake import OF_HANDSHAKE
from .of_runs import OF_RUNS
from .of_wire import OF_WIRE

MUTANTS: dict[str, Mutant] = {**OF_WIRE, **OF_HANDSHAKE, **OF_RUNS, **OF_ENGINE}
