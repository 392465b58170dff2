"""What a schedule begins: a run of the queue, as it is kept with the schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flowcage.host.durable.queue.records import Schedule
from flowcage.host.durable.records import NewRun
from flowcage.host.durable.store import Store
from flowcage.host.resume.new.cron import NotScheduled, as_text
from flowcage.host.resume.new.queued import Place, queued_run, require_place
from flowcage.host.run.limits import limits_of_host, with_limits
from flowcage.host.run.node import new_run_id
from flowcage.host.run.options import RunOptions
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import Json

# Of `RunOptions`, besides limits, what is data.
_CHOICES = ("dialect", "budget_tokens", "hard_budget", "max_cost_usd", "agent_failure", "expires_seconds")


def what_of(
    source: str,
    source_name: str,
    args: Json,
    options: RunOptions,
    place: Place,
    *,
    handlers: frozenset[str],
    settings: Mapping[str, Json],
) -> Json:
    """What a schedule keeps of the runs that it begins.

    Args:
        source, source_name, args, options: as for `run_workflow`; nobody is asked by these options.
        place: in the queue.
        handlers, settings: as for `submit`.
    """
    return {
        "v": 1,
        "source": source,
        "sourceName": source_name,
        "args": args,
        "modules": dict(options.modules),
        "limits": {**options.limits.to_wire(), **limits_of_host(options)},
        "choices": {name: getattr(options, name) for name in _CHOICES},
        "metadata": dict(options.metadata),
        "place": place._replace(not_before=None)._asdict(),
        "handlers": sorted(handlers),
        "settings": dict(settings),
    }


def run_of(store: Store, schedule: Schedule, at: int) -> NewRun:
    """The run of one firing, whose start key is the schedule's name and the time.

    Args:
        store: of the queue.
        schedule: as it is kept there.
        at: the time that it is for, in milliseconds since 1970.

    Raises:
        NotScheduled: what is kept is damaged, or cannot be read.
    """
    if schedule.problem:
        raise NotScheduled(f"what schedule {schedule.name!r} begins cannot be read: {schedule.problem}")
    what: Any = schedule.what
    try:
        options = _options(what, {"schedule": schedule.name, "at": as_text(at)})
        given = (new_run_id(), what["source"], what["sourceName"], what["args"], options)
        return queued_run(
            store,
            *given,
            require_place(Place(**what["place"])),
            tenant=schedule.tenant,
            start_key=f"{schedule.name}@{as_text(at)}",
            settings=what["settings"],
            handlers=frozenset(what["handlers"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise NotScheduled(f"what schedule {schedule.name!r} begins is damaged: {error!r:.200}") from None


def _options(what: Any, metadata: Mapping[str, Json]) -> RunOptions:
    options = with_limits(RunOptions(limits=Limits()), what["limits"])
    choices = {name: what["choices"][name] for name in _CHOICES}
    told = {**what["metadata"], **metadata}
    return replace(options, modules=what["modules"], metadata=told, **choices)
