"""What whoever started a server has said of its runs, which holds for those that are gone on with, too.

A run of the store may have been begun by somebody at a terminal, or come from elsewhere: in another folder,
with any program as its agent, without a ceiling. What only goes on keeps all of that, so it is refused where
it is beyond the terms; a new run that reuses its answers is begun within them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from flowcage.host.cli.input_files import InputError
from flowcage.host.cli.names.places import places
from flowcage.host.cli.setup.choice import choose, models_of
from flowcage.host.durable.records import RunRecord
from flowcage.host.terminal.text import cut
from flowcage.host.ui.api.problems import Problem
from flowcage.host.ui.api.ways import Way

_PROGRAM = "command:"


class Terms(NamedTuple):
    """Of one server.

    Attributes:
        folder: that workflows must lie in.
        agent, models: options of the command; None and () where nothing was said.
        max_cost: US dollars, which no run may have more of; None where nothing was said.
        is_carried_out_here: false where all runs are those of workers.
    """

    folder: Path
    agent: str | None = None
    models: tuple[str, ...] = ()
    max_cost: float | None = None
    is_carried_out_here: bool = True

    def words(self, max_cost: float | None = None) -> list[str]:
        """Options of a new run.

        Args:
            max_cost: that is asked for, or that the run had.
        """
        costs = [each for each in (self.max_cost, max_cost) if each is not None]
        return [
            *([] if self.agent is None else [f"--agent={self.agent}"]),
            *(f"--model={each}" for each in self.models),
            *([f"--max-cost={min(costs)}"] if costs else []),
        ]

    def way_words(self, record: RunRecord, way: Way) -> list[str]:
        """Options of ``flowcage resume`` for a way. Raises `Problem` where the way leads beyond the terms."""
        settings: Any = record.settings
        if record.summary.pool is not None:
            return self._require_cost(record)
        if not self.is_carried_out_here:
            run_id = record.summary.run_id
            raise Problem(
                403,
                "not by this server, which leaves all runs to workers: no worker has this run, which was "
                f"begun by a process of its own; at a terminal: flowcage resume {run_id}",
            )
        try:
            why = next(self._beyond(settings, settings["given"], way), None)
            words = self.words(settings["given"].get("max_cost")) if way.is_new else []
        except (KeyError, TypeError, AttributeError, ValueError):
            why, words = "its settings are damaged", []
        except InputError as error:
            why, words = str(error), []
        if why is not None:
            run_id = record.summary.run_id
            raise Problem(403, f"not by this server: {why}; at a terminal: flowcage resume {run_id}")
        return words

    def _require_cost(self, record: RunRecord) -> list[str]:
        """Of a run of the queue the workers choose the rest."""
        cost = record.rules.max_cost_usd
        if self.max_cost is not None and (cost is None or cost > self.max_cost):
            had = "without a ceiling on its cost" if cost is None else f"with a ceiling of ${cost:g}"
            raise Problem(
                403, f"not by this server: it was begun {had}, and this server allows ${self.max_cost:g}"
            )
        return []

    def _beyond(self, settings: Any, given: Any, way: Way) -> Iterator[str]:
        """Why a way leads beyond the terms."""
        for name in ("cwd", "root", "file"):
            path = settings[name]
            if not (self._is_below(path) or (name != "cwd" and _has_a_name(path))):
                yield f"its {name}, {cut(path, 200)!r}, lies outside of {self.folder}"
        if given.get("child_command"):
            yield "it was begun with a child command of its own"
        for spec in self._other_agents(settings, given, is_new=way.is_new):
            yield f"it was begun with the agent {cut(spec, 200)!r}, which this server does not ask"
        if not way.is_new:
            yield from self._other_terms(given)

    def _is_below(self, path: str) -> bool:
        return Path(os.path.realpath(path)).is_relative_to(self.folder)

    def _other_agents(self, settings: Any, given: Any, *, is_new: bool) -> Iterator[str]:
        """Agents of a run that one which the server begins would not have."""
        none = dict.fromkeys(("fixtures", "trust_project", "ignore_project"))
        now: dict[str, Any] = {**none, "agent": self.agent, "model_words": self.models}
        choose(Path(settings["file"]).parent, now)
        known = {now["agent"], *_routed(now)}
        is_replaced = is_new and self.agent is not None
        for spec in (*_routed(given), *([] if is_replaced else [given["agent"]])):
            if spec not in known and (self.agent is not None or spec.startswith(_PROGRAM)):
                yield spec

    def _other_terms(self, given: Any) -> Iterator[str]:
        model, aliases = models_of(self.models)
        if model is not None and given.get("model") != model:
            yield f"it was begun with the model {given.get('model')!r}, and this server has {model!r}"
        for alias, named in aliases.items():
            if (given.get("models") or {}).get(alias) != named:
                yield f"it was begun with another model for {alias!r} than {named!r}"
        cost = given.get("max_cost")
        if self.max_cost is not None and not (cost is not None and cost <= self.max_cost):
            had = "without a ceiling on its cost" if cost is None else f"with a ceiling of ${cost:g}"
            yield f"it was begun {had}, and this server allows ${self.max_cost:g}"


def _has_a_name(path: str) -> bool:
    """Whether it is a folder in which names are looked for, or a file there."""
    if path != os.path.abspath(path):  # the folder of x/.. is not x
        return False
    found = {os.path.abspath(place.path): place.within for place in places()}
    folder = path if path in found else os.path.dirname(path)
    if folder not in found:
        return False
    within = found[folder]
    return within is None or Path(os.path.realpath(path)).is_relative_to(os.path.realpath(within))


def _routed(given: Any) -> list[str]:
    return [route["agent"] for route in given.get("routes") or ()]
