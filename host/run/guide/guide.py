"""Who knows what another run was answered: the seam between a run and the history that it reuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

from flowcage.host.run.core.inputs import Reused, Said
from flowcage.protocol.messages import Json, Missing

# Options that agent calls take from their phase, by its title.
Phases: TypeAlias = Mapping[str, Mapping[str, Json]]


class Guide(Protocol):
    """Finds the answers of another run. The driver calls it in the order in which things happen."""

    def look(self, said: Said, phases: Phases) -> Mapping[str, str]:
        """Which of these requests are known: their ids on the wire, and those that they have there."""

    def start(self, request: str, source: str, args: Json, modules: Mapping[str, str]) -> Json | Missing:
        """Look for the result of a child workflow that this request starts; `MISSING` where it has to run."""

    @property
    def turn(self) -> float:
        """When the other run was told what `next_group` would give; infinite where there is nothing."""

    @property
    def is_empty(self) -> bool:
        """Whether no answer waits to be told."""

    def next_group(self) -> Sequence[Reused]:
        """Take the answers that are told next, together."""

    def first_turn_below(self, request: str) -> float:
        """When the other run was first told something that this request to start a child workflow led to."""

    def idle(self) -> None:
        """Nothing is known any more, and somebody has to be asked."""
