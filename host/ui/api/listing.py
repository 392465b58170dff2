"""The list of runs: filtered, in parts, and what is new of a part that a page shows."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from typing import Any, NamedTuple, get_args

import trio

from flowcage.host.durable.records import STATES, Filter, Place, State, Summary
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.ui.api.kept import LOOK_SECONDS, KeptRuns
from flowcage.host.ui.api.problems import Problem

MOST = 500
_AT_ONCE = 500  # that are read of a store where a text is looked for
_LOOKED_AT = 20_000  # by one request; the next one goes on
_ABANDONED = "abandoned"
_CURSOR = re.compile(r"(-?[0-9]{1,18})\.([A-Za-z0-9._-]{1,100})")
_MEMBERS = frozenset({"state", "verdict", "text", "before", "limit", "since"})
_WORDS = frozenset({*STATES, _ABANDONED})
_VERDICTS = frozenset(str(each) for each in Verdict)


class Query(NamedTuple):
    """Which runs a page shows.

    Attributes:
        which: for the store.
        text: that is part of the run's id or of the name of its source; "" takes all.
    """

    which: Filter
    text: str


class Part(NamedTuple):
    """Some runs of the list, the newest first, and where it goes on; None where there are no more."""

    runs: list[Summary]
    more: str | None

    def to_json(self) -> dict[str, Any]:
        """As the answer has it."""
        return {"runs": [row(each) for each in self.runs], "next": self.more}


def query_of(given: Mapping[str, str]) -> Query:
    """The filter of a request.

    Args:
        given: state, verdict (each one or several with commas), text, since, before, limit.

    Raises:
        Problem: one of them is nothing that can be looked for.
    """
    if unknown := given.keys() - _MEMBERS:
        raise Problem(
            400, f"unknown: {', '.join(sorted(unknown))[:80]}; known: {', '.join(sorted(_MEMBERS))}"
        )
    states = _words(given, "state", _WORDS)
    which = Filter(
        states=_kept(states),
        verdicts=_words(given, "verdict", _VERDICTS),
        abandoned=_abandoned(states),
        since=_number(given, "since", 0, 1 << 53),
        before=_place(given.get("before")),
        limit=_number(given, "limit", 1, MOST) or 100,
    )
    return Query(which, given.get("text", "")[:200].casefold())


def _words(given: Mapping[str, str], name: str, known: frozenset[str]) -> tuple[str, ...] | None:
    words = tuple(word for word in given.get(name, "").split(",") if word)
    for word in words:
        if word not in known:
            raise Problem(400, f"{name}: {word[:40]!r} is none of {', '.join(sorted(known))}")
    return words or None


def _kept(states: tuple[str, ...] | None) -> tuple[State, ...] | None:
    """States as the store has them: a run whose host is gone is running there."""
    if states is None:
        return None
    wanted = {"running" if each == _ABANDONED else each for each in states}
    return tuple(each for each in get_args(State) if each in wanted)


def _abandoned(states: tuple[str, ...] | None) -> bool | None:
    if states is None or ("running" in states) == (_ABANDONED in states):
        return None
    return _ABANDONED in states


def _number(given: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
        raise Problem(400, f"{name}: expected a whole number from {least} to {most}")
    return int(text)


def _place(cursor: str | None) -> Place | None:
    if not cursor:
        return None
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise Problem(400, "before: expected what next was of the part before")
    return Place(int(found[1]), found[2])


async def part_of(runs: KeptRuns, query: Query) -> Part:
    """The runs of a query, at most as many as it wants."""
    runs.require_store()
    which, wanted = query.which._replace(tenant=runs.tenant), query.which.limit
    found: list[Summary] = []
    looked_at, last = 0, None
    while looked_at < _LOOKED_AT:
        asked = _AT_ONCE if query.text else wanted + 1
        some = await runs.store.runs(which._replace(limit=asked))
        looked_at += len(some)
        found += [each for each in some if _fits(each, query.text)]
        last = some[-1] if some else last
        if len(found) > wanted or len(some) < asked:
            return Part(found[:wanted], _cursor(found[wanted - 1]) if len(found) > wanted else None)
        which = which._replace(before=last)
    return Part(found, None if last is None else _cursor(last))


def _fits(run: Summary, text: str) -> bool:
    return not text or text in run.source_name.casefold() or text in run.run_id.casefold()


def _cursor(run: Summary) -> str:
    return f"{run.created_at}.{run.run_id}"


async def changes_of(runs: KeptRuns, query: Query) -> AsyncGenerator[dict[str, Any]]:
    """What is new of the list, as long as somebody looks: at first all of it, then rows that have changed."""
    shown: dict[str, Summary] | None = None
    while True:
        part = await part_of(runs, query)
        now = {each.run_id: each for each in part.runs}
        before = shown or {}
        changed = [row(each) for each in part.runs if before.get(each.run_id) != each]
        gone = [each.run_id for each in before.values() if each.run_id not in now and _is_in(each, part)]
        if changed or gone or shown is None:
            yield {"runs": changed, "gone": gone, "next": part.more, "at": runs.store.now()}
        shown = now
        await trio.sleep(2 * LOOK_SECONDS)


def _is_in(run: Summary, part: Part) -> bool:
    """Whether a run would be among those of a part, if the list still had it."""
    last = part.runs[-1] if part.runs else None
    return part.more is None or last is None or (run.created_at, run.run_id) > (last.created_at, last.run_id)


def row(run: Summary) -> dict[str, Any]:
    """A run of the list; times in milliseconds since 1970."""
    return {
        "id": run.run_id,
        "tenant": run.tenant,
        "state": _ABANDONED if run.is_abandoned else run.state,
        "verdict": run.verdict,
        "sourceName": run.source_name,
        "forkedFrom": run.forked_from,
        "createdAt": run.created_at,
        "updatedAt": run.updated_at,
        "wakeAt": run.wake_at,
        "cancel": None if run.cancel is None else run.cancel.reason,
        "entries": run.entries,
        "bytes": run.bytes,
        "pool": run.pool,
        "held": run.held,
    }
