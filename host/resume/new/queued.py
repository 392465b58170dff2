"""Runs that are put into the queue of a store, for any worker to carry out.

Who answers such a run, in which cage, and which files it may start as child workflows is the worker's choice.
What the run brings along is data: its source and args, its rules, and these settings. A worker reads them as
something that a stranger may have written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from flowcage.host.durable.records import NewRun, RunRecord
from flowcage.host.durable.store import Store
from flowcage.host.resume.new.made import made_run
from flowcage.host.resume.refusals import NotResumable
from flowcage.host.run.arguments import require_type
from flowcage.host.run.asking.answering import answered
from flowcage.host.run.limits import COUNTS, limits_of_host, with_limits
from flowcage.host.run.options import RunOptions
from flowcage.protocol.messages import Json

# Those that every worker answers; people answer ask() from outside.
OF_WORKERS = frozenset({"agent", "workflow", "ask"})
MAX_RETRIES = 1000
MAX_PRIORITY = 1_000_000
_LONGEST_NAME = 100
_LONGEST_KEY, LONGEST_TENANT = 500, 256
_MEMBER = "queued"
# In the rules of a run, which its core decides by.
_LIMITS = ("timeout_seconds", "answer_grace_seconds", "max_received_bytes")


class Place(NamedTuple):
    """Where a run waits for a worker.

    Attributes:
        pool: of workers, one of which takes it; "" is the usual one.
        priority: the higher goes first, among the runs of its tenant.
        not_before: in milliseconds since 1970; None for at once.
        retries: how often it is gone on with, where its end was not its own doing.
    """

    pool: str = ""
    priority: int = 0
    not_before: int | None = None
    retries: int = 0


def require_pool(what: str, name: str) -> None:
    """Refuse a name that is too long, or that a line of text would not show. Raises ValueError."""
    if len(name) > _LONGEST_NAME or not (name == "" or name.isprintable()):
        raise ValueError(f"{what} must have at most {_LONGEST_NAME} printable characters, not {name!r:.200}")


def require_key(key: object) -> None:
    """Check the key of a start. Raises TypeError, ValueError."""
    require_type("key", key, str)
    assert isinstance(key, str)
    if not 0 < len(key) <= _LONGEST_KEY:
        raise ValueError(f"key must have 1 to {_LONGEST_KEY} characters, not {len(key)}")


def require_tenant(name: str) -> None:
    """Refuse the name of a tenant that no worker has turns for. Raises ValueError."""
    if not 0 < len(name) <= LONGEST_TENANT:
        raise ValueError(f"a tenant's name has 1 to {LONGEST_TENANT} characters, not {len(name)}")


def require_place(place: Place) -> Place:
    """Check where a run is to wait. Raises TypeError, ValueError."""
    require_type("pool", place.pool, str)
    require_pool("pool", place.pool)
    for name, value, least, most in (
        ("priority", place.priority, -MAX_PRIORITY, MAX_PRIORITY),
        ("retries", place.retries, 0, MAX_RETRIES),
    ):
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"{name} must be a whole number from {least} to {most}, not {value!r}")
    at = place.not_before
    if at is not None and (type(at) is not int or not 0 <= at < 2**53):
        raise ValueError(f"not_before must be a time in milliseconds since 1970, not {at!r}")
    return place


class Submitted(NamedTuple):
    """What a submission has led to.

    Attributes:
        run_id: of the run.
        is_new: false where a submission with the same key had made it.
    """

    run_id: str
    is_new: bool


def queued_run(
    store: Store,
    run_id: str,
    source: str,
    source_name: str,
    args: Json,
    options: RunOptions,
    place: Place,
    *,
    tenant: str,
    start_key: str | None = None,
    settings: Mapping[str, Json] | None = None,
    handlers: frozenset[str] | None = None,
) -> NewRun:
    """A run for the queue, as a store keeps it.

    Args:
        store: of the queue.
        run_id, tenant, start_key: of the run.
        source, source_name, args, options: as for `run_workflow`; the handlers of `options` are the worker's.
        place: in the queue.
        settings: further ones.
        handlers: names of the kinds of request that the worker must answer; by default those of `options`.

    Raises:
        TypeError, ValueError: the tenant's name or the key is none that a run of the queue can have.
    """
    require_tenant(tenant)
    if start_key is not None:
        require_key(start_key)
    answers = answered(options, None, is_kept=True) if handlers is None else handlers
    kept = {**(settings or {}), _MEMBER: _settings(options, place)}
    what = (store, run_id, source, source_name, args, options)
    new = made_run(*what, handlers=answers, tenant=tenant, start_key=start_key, settings=kept).run
    return new._replace(pool=place.pool, priority=place.priority, not_before=place.not_before)


async def submit(store: Store, run: NewRun) -> Submitted:
    """Put a new run into the queue. Raises as `Store.create`."""
    created = await store.create(run, queued=True)
    return Submitted(created.run_id, created.is_new)


def as_made(options: RunOptions, record: RunRecord) -> RunOptions:
    """A host's options with what a run was made with.

    Raises:
        NotResumable: its settings are none.
    """
    options = replace(options, **{name: getattr(record.rules, name) for name in COUNTS})
    kept = _of_queue(record.settings)
    if kept is None:  # of a run that was not queued
        return options
    try:
        limits = {name: value for name, value in kept["limits"].items() if name in _LIMITS}
        return with_limits(options, limits, metadata=kept["metadata"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise NotResumable(f"its settings are damaged: {error}") from None


def retries_of(settings: object) -> int:
    """How often a run is gone on with whose end was not its own doing."""
    retries = (_of_queue(settings) or {}).get("retries")
    return retries if type(retries) is int and 0 <= retries <= MAX_RETRIES else 0


def with_retries(settings: Json, most: int) -> Json:
    """Settings of a run that is gone on with no more often than this."""
    kept, retries = _of_queue(settings), retries_of(settings)
    if not isinstance(settings, dict) or kept is None or retries <= most:
        return settings
    return {**settings, _MEMBER: {**kept, "retries": most}}


def _of_queue(settings: object) -> dict[str, Any] | None:
    kept = settings.get(_MEMBER) if isinstance(settings, dict) else None
    return kept if isinstance(kept, dict) else None


def _settings(options: RunOptions, place: Place) -> Json:
    limits = limits_of_host(options)
    return {
        "limits": {name: limits[name] for name in _LIMITS},
        "metadata": dict(options.metadata),
        "retries": place.retries,
    }
