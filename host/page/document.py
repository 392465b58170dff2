"""The page document: all that a page about a run shows, as one JSON value. This is version 1.

Texts of scripts, models and stores stand in it as they are: whoever shows one escapes it. Times are seconds
since the run was made, those that end in ``At`` are ISO 8601 in UTC. A text or value beyond a cap is cut, and
``cut`` beside it has its full length in characters; a value that is cut is the beginning of its JSON::

    {"page": 1, "flowcage": "0.x", "asOf": time,
     "run": {"id", "tenant", "name", "sourceName", "state", "verdict", "error", "createdAt", "endedAt",
             "seconds", "forkedFrom", "wakeAt", "cancel", "pool", "priority", "held", "takeovers", "args"?,
             "result"?, "cut"?, "phases", "usage", "census", "diagnostics", "lives"},
     "workflows": [{"path", "runId", "sourceName", "source", "sameAs"?, "parent", "state", "verdict",
                    "modules"?, "outline"?}],
     "calls": [{"id", "path", "kind", "label", "phase", "model", "prompt", "options", "withheld"?, "state",
                "asked", "began", "ended", "attempts", "value"?, "error", …usage, "seconds", "sessionId",
                "worktree", "reused", "reusedFrom", "line", "column", "cut"?}],
     "logs": [{"at", "seq", "path", "text"}], "events": [{"at", "seq", "path", "type", "text"}],
     "totals": {"byPhase": […], "byModel": […], "byLabel": […]},
     "left": {"logs", "events"}}

- ``run.state``: queued, running, asleep, ended, diverged, or abandoned (its process is gone). A run that is
  not ended has ``verdict`` and ``endedAt`` null, and ``seconds`` up to ``asOf``.
- ``run.error``: null, or ``{"kind", "message", "stack"?, "place"?}``. ``run.cancel``: null, or
  ``{"at", "reason"}`` of a wish to end it. ``run.phases``: ``[{"title", "detail"?}]``.
- ``workflows``: the root first, its path is "". ``parent`` is the id of the call that started it. Where
  another workflow has the same source, ``source`` is null and ``sameAs`` is the path of that one; null alone
  is a source that is not known. ``modules`` are the texts that it may import, by their names. ``state`` is
  running or ended.
- ``calls[].state``: queued, open, answered, done, failed, refused or cancelled. ``prompt`` is the question of
  an ``ask``, and the name of a ``workflow``. An attempt is ``{"number", "began", "ended", "lives", "error",
  "refused": [{"text", "problem"}], …usage}``. ``reusedFrom`` is null or ``[run, call]``. ``withheld`` names
  what the store does not keep. ``line`` and ``column`` are of the call in its workflow's own source.
- usage: ``tokens, costUsd, inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, unpriced``;
  ``unpriced`` counts answers whose cost is not known. An agent at work counts with what it has told.
- ``totals``: rows ``{"name", "calls", "failed", "seconds", …usage}`` of agents' calls.
- ``left``: how many of the first logs and events are left out.

A delta has ``asOf``, ``run`` without ``args``, ``totals``, ``left``, the ``calls`` and ``workflows`` that
have changed, to be merged by ``id`` and ``path``, and the ``logs`` and ``events`` that are new, which are
appended, while as many of the first leave as ``left`` has grown by.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from flowcage.host.page.calls import call_json
from flowcage.host.page.cutting import CAPS, Caps, Cutter
from flowcage.host.page.material import Material, PageWorkflow
from flowcage.host.page.totals import Totals
from flowcage.protocol.messages import MISSING
from flowcage.protocol.version import PACKAGE_VERSION

VERSION = 1


class Page:
    """The document of one run, made from what is known of it.

    Args:
        material: of the run; whoever fills it tells `changed` of which calls.
        caps: on its texts.
    """

    def __init__(self, material: Material, caps: Caps = CAPS) -> None:
        self.material = material
        self._caps = caps
        self._totals = Totals()
        self._counted: set[str] = set()
        self._workflows_told: dict[str, dict[str, Any]] = {}
        self._sources: dict[str, str] = {}

    def whole(self) -> dict[str, Any]:
        """All of it. What is new afterwards is in the next `delta`."""
        found = self.material
        self._count(found.changed)
        told = {
            "page": VERSION,
            "flowcage": PACKAGE_VERSION,
            "asOf": found.as_of,
            "run": self._run(with_args=True),
            "workflows": [self._workflow(each) for each in found.workflows.values()],
            "calls": self._told(found.calls),
            "logs": found.logs.all(),
            "events": found.events.all(),
        }
        self._forget()
        return told | self._sums()

    def delta(self) -> dict[str, Any]:
        """What has changed since the last document or delta."""
        found = self.material
        self._count(found.changed)
        told = {
            "asOf": found.as_of,
            "run": self._run(with_args=False),
            "workflows": self._changed_workflows(),
            "calls": self._told([each for each in found.calls if each in found.changed]),
            "logs": found.logs.new(),
            "events": found.events.new(),
        }
        self._forget()
        return told | self._sums()

    def call(self, identifier: str) -> dict[str, Any] | None:
        """One call with all of its texts; None where there is none."""
        return self._call(identifier, Cutter(None)) if identifier in self.material.calls else None

    def _forget(self) -> None:
        self.material.changed.clear()
        self.material.logs.told()
        self.material.events.told()

    def _sums(self) -> dict[str, Any]:
        left = {"logs": self.material.logs.left, "events": self.material.events.left}
        return {"totals": self._totals.to_json(), "left": left}

    def _count(self, changed: set[str]) -> None:
        for identifier, call in self.material.calls.items():  # in their order, which that of the rows follows
            if identifier in changed:
                self._totals.count(call, self.material.costs_of(call))

    def _told(self, identifiers: Collection[str]) -> list[dict[str, Any]]:
        """Calls, with all of their texts together below the cap."""
        cutters = [Cutter(self._caps.text) for _ in identifiers]
        told = [self._call(*each) for each in zip(identifiers, cutters, strict=True)]
        most = _most([length for each in cutters for length in each.lengths], self._caps)
        return told if most >= self._caps.text else [self._call(each, Cutter(most)) for each in identifiers]

    def _call(self, identifier: str, cutter: Cutter) -> dict[str, Any]:
        found = self.material
        call = found.calls[identifier]
        return call_json(call, found.costs_of(call), found.places.get(identifier), cutter)

    def _run(self, *, with_args: bool) -> dict[str, Any]:
        found, cutter = self.material, Cutter(self._caps.text)
        told = found.head | {
            "phases": found.phases_json(),
            "usage": found.usage_json(),
            "census": found.census.to_json(),
            "diagnostics": found.diagnostics_json(),
            "lives": found.lives,
        }
        if with_args:
            cutter.put(told, "args", found.args)
        if found.result is not MISSING:
            cutter.put(told, "result", found.result)
        return cutter.finish(told)

    def _changed_workflows(self) -> list[dict[str, Any]]:
        before = dict(self._workflows_told)
        told = [self._workflow(each) for each in self.material.workflows.values()]
        return [each for each in told if before.get(each["path"]) != each]

    def _workflow(self, workflow: PageWorkflow) -> dict[str, Any]:
        told = workflow.to_json()
        if workflow.source is not None:
            first = self._sources.setdefault(workflow.source, workflow.path)
            if first != workflow.path:
                told |= {"source": None, "sameAs": first}
        self._workflows_told[workflow.path] = told
        return told


def _most(lengths: Sequence[int], caps: Caps) -> int:
    """Characters that a text of a call may have, so that all together stay below their cap."""
    most = caps.text
    while most > caps.least and sum(min(length, most) for length in lengths) > caps.total:
        most //= 2
    return max(most, caps.least)
