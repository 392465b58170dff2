"""What the agents' calls of a run come to, by phase, by model and by label; kept up to date call by call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flowcage.host.page.calls import asked_model
from flowcage.host.resume.looking.calls import RunCall, costs_to_json
from flowcage.host.run.core.agents.spending import Costs

# Names are a script's and an agent's, so there may be any number of them.
MOST_NAMES = 200
_NAME = 200  # characters
OTHERS = "(others)"


class _Counted(NamedTuple):
    names: tuple[str, str, str | None]
    failed: bool
    seconds: float
    costs: Costs


@dataclass
class _Row:
    calls: int = 0
    failed: int = 0
    seconds: float = 0.0
    costs: Costs = field(default_factory=Costs)

    def count(self, counted: _Counted, sign: int) -> None:
        self.calls += sign
        self.failed += sign * counted.failed
        self.seconds += sign * counted.seconds
        for name in ("tokens", "cost_usd", "input", "output", "cache_read", "cache_write", "unpriced"):
            value = getattr(self.costs, name) + sign * getattr(counted.costs, name)
            setattr(self.costs, name, value)

    def to_json(self, name: str) -> dict[str, Any]:
        told = {"name": name, "calls": self.calls, "failed": self.failed}
        usage = costs_to_json(self.costs)
        # Taking a sum apart again leaves an error in the last digit.
        return told | {"seconds": round(abs(self.seconds), 6), **usage, "costUsd": abs(usage["costUsd"])}


class Totals:
    """Of one run."""

    def __init__(self) -> None:
        self._rows: tuple[dict[str, _Row], ...] = ({}, {}, {})
        self._counted: dict[str, _Counted] = {}

    def count(self, call: RunCall, costs: Costs) -> None:
        """Count a call as it stands now, in the place of how it stood before."""
        if call.kind != "agent":
            return
        if (before := self._counted.get(call.id)) is not None:
            self._add(before, -1)
        names = (call.phase or "", call.model or asked_model(call) or "", call.label)
        now = _Counted(names, call.state in ("failed", "refused"), call.seconds, costs)
        self._counted[call.id] = now
        self._add(now, 1)

    def to_json(self) -> dict[str, Any]:
        """Phases and labels in the order of their first calls; calls without a label are in no row of these.

        Models come up late, and a call's is another one once it has answered: theirs are in order of cost.
        """
        phases, models, labels = map(_told, self._rows)
        models.sort(key=lambda row: (-row["costUsd"], -row["tokens"], row["name"]))
        return {"byPhase": phases, "byModel": models, "byLabel": labels}

    def _add(self, counted: _Counted, sign: int) -> None:
        for rows, name in zip(self._rows, counted.names, strict=True):
            if name is not None:
                key = name[:_NAME]
                key = OTHERS if key not in rows and len(rows) >= MOST_NAMES else key
                rows.setdefault(key, _Row()).count(counted, sign)


def _told(rows: dict[str, _Row]) -> list[dict[str, Any]]:
    return [row.to_json(name) for name, row in rows.items() if row.calls]
