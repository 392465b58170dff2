"""What was noted about a workflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flowcage.host.events.event import Event
from flowcage.protocol.messages import Json


@dataclass(frozen=True)
class Diagnosed(Event):
    """Something was noted about the workflow: `diagnostic`, as the report has it.

    A listener is told of what was found in the source, before the workflow runs. The history of a kept run
    tells all of them.
    """

    diagnostic: Mapping[str, Json] = field(default_factory=dict)
