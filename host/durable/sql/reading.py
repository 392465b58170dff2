"""Reads: each is a function of a connection that nobody writes with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from flowcage.host.durable.errors import (
    AmbiguousRun,
    DamagedEntry,
    DamagedStore,
    StoreError,
    StoreFailed,
    UnknownRun,
)
from flowcage.host.durable.records import (
    LAST,
    Entry,
    Filter,
    NewWorkflow,
    OutsideAnswer,
    RunRecord,
    Summary,
)
from flowcage.host.durable.sql.database import Database, Row, asked
from flowcage.host.durable.sql.payloads import Payloads, place
from flowcage.host.durable.sql.rows import (
    SUMMARY,
    Unpack,
    answer_of,
    ending_of,
    entry_of,
    rules_of,
    summary_of,
    workflow_of,
)
from flowcage.host.durable.sql.schema import escaped
from flowcage.host.durable.sql.waking import owners_gone

# What comes of a value of another type or form than it was written with.
_WRONG = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_MOST_BYTES_OF_A_KEY = 64
_MOST_NAMED = 10
Term: TypeAlias = tuple[str, tuple[Any, ...]]


@contextmanager
def view(db: Database) -> Iterator[None]:
    """One unchanging view of the store."""
    db.begin_reading()
    try:
        yield
    finally:
        db.rollback()


def find(db: Database, prefix: str, tenant: str | None) -> str:
    """The one run whose id begins so; an id that is given whole is itself, whatever begins with it."""
    if prefix == LAST:
        found = runs(db, Filter(tenant, limit=1))
    else:
        found = runs(db, Filter(tenant, prefix=prefix, limit=_MOST_NAMED))
        exact = runs(db, Filter(tenant, prefix=prefix), "run_id = ?") if len(found) > 1 else []
        found = exact or found
    if not found or not prefix:
        raise UnknownRun(prefix)
    if len(found) > 1:
        raise AmbiguousRun(prefix, sorted(each.run_id for each in found))
    return found[0].run_id


def get(db: Database, run_id: str) -> Summary:
    """A run without its history."""
    (found,) = get_all(db, [run_id])
    if isinstance(found, Exception):
        raise found
    return found


def get_all(db: Database, run_ids: Sequence[str]) -> list[Summary | Exception]:
    """Runs without their histories, or what is wrong with one."""
    marks = ", ".join("?" * len(run_ids))
    rows = db.execute(f"SELECT {SUMMARY} FROM runs WHERE run_id IN ({marks})", tuple(run_ids))
    found = {row[0]: row for row in rows.fetchall()}
    return [_summary(run_id, found.get(run_id)) for run_id in run_ids]


def _summary(run_id: str, row: Row | None) -> Summary | Exception:
    if row is None:
        return UnknownRun(run_id)
    try:
        return summary_of(row)
    except (DamagedEntry, *_WRONG) as error:
        return error


def runs(
    db: Database,
    which: Filter,
    prefix_is: str = "run_id >= ? AND run_id < ?",
    is_alive: Callable[[str], bool] = lambda _owner: True,
) -> list[Summary]:
    """The runs of a filter, the newest first."""
    terms = _terms(which)
    if which.abandoned is not None:
        terms.append(_abandoned(owners_gone(db, is_alive), which.abandoned))
    if which.prefix:
        end = (which.prefix + "\x7f",) if "<" in prefix_is else ()  # ids are ASCII
        terms.append((prefix_is, (which.prefix, *end)))
    if which.before is not None:
        at, run_id = which.before.created_at, which.before.run_id
        terms.append(("(created_at < ? OR created_at = ? AND run_id < ?)", (at, at, run_id)))
    where = " AND ".join(term for term, _ in terms) or "1 = 1"
    rows = db.execute(
        f"SELECT {SUMMARY} FROM runs WHERE {where} ORDER BY created_at DESC, run_id DESC LIMIT ?",
        (*(value for _, values in terms for value in values), which.limit),
    )
    return [summary_of(row) for row in rows.fetchall()]


def _terms(which: Filter) -> list[Term]:
    """What of a filter compares one column."""
    terms: list[Term] = [
        (f"{column} {compared} ?", (value,))
        for column, compared, value in (
            ("tenant", "=", _escaped(which.tenant)),
            ("pool", "=", _escaped(which.pool)),
            ("created_at", ">=", which.since),
            ("created_at", "<", which.until),
            ("forked_from", "=", which.forked_from),
        )
        if value is not None
    ]
    if which.held is not None:
        terms.append((f"(state <> 'queued' OR held {'<>' if which.held else '='} '')", ()))
    for column, values in (("state", which.states), ("verdict", which.verdicts)):
        if values is not None:
            terms.append((_one_of(column, len(values)), tuple(values)))
    return terms


def _escaped(text: str | None) -> str | None:
    return None if text is None else escaped(text)


def _one_of(column: str, count: int) -> str:
    return f"{column} IN ({', '.join('?' * count)})" if count else "1 = 0"


def _abandoned(gone: Sequence[str], wanted: bool) -> Term:
    """Of the runs that are running, those whose host is one of these, or is none of them."""
    by_gone = f"(owner IS NULL OR {_one_of('owner', len(gone))})"
    return f"(state <> 'running' OR {'' if wanted else 'NOT '}{by_gone})", tuple(gone)


def told_of_owners(summaries: Sequence[Summary], is_alive: Callable[[str], bool]) -> list[Summary]:
    """Summaries that say whether the hosts of their runs are gone."""
    owners = {each.owner for each in summaries if each.state == "running"}
    gone = {owner for owner in owners if owner is None or not is_alive(owner)}
    return [
        each._replace(is_abandoned=True) if each.state == "running" and each.owner in gone else each
        for each in summaries
    ]


_ANSWERS = "SELECT request, at, data FROM answers WHERE run_id = ? AND data IS NOT NULL ORDER BY at, request"


def answers(db: Database, payloads: Payloads, run_id: str) -> list[OutsideAnswer]:
    """Those that the run has not taken in, in the order in which they came."""
    unpack = unpacker(db, payloads)
    rows = db.execute(_ANSWERS, (run_id,))
    return [answer_of(run_id, row, unpack) for row in rows.fetchall()]


# What `load` reads of runs; each row begins with the id of its run.
_OF_RUNS = (
    f"SELECT run_id, {SUMMARY}, settings, rules, digest_key, ending FROM runs WHERE run_id IN (%s)",
    """SELECT w.run_id, w.path, w.args, w.terms, w.source, b.data FROM workflows w
    LEFT JOIN blobs b ON b.hash = w.source WHERE w.run_id IN (%s) ORDER BY w.path""",
    "SELECT run_id, seq, at, epoch, data FROM entries WHERE run_id IN (%s) ORDER BY run_id, seq",
    """SELECT run_id, request, at, data FROM answers WHERE run_id IN (%s) AND data IS NOT NULL
    ORDER BY at, request""",
)


def load(db: Database, payloads: Payloads, run_ids: Sequence[str]) -> list[RunRecord | Exception]:
    """Runs with their histories, or what is wrong with one."""
    marks, unpack = ", ".join("?" * len(run_ids)), unpacker(db, payloads)
    with view(db):
        found = asked(db, [(sql % marks, tuple(run_ids)) for sql in _OF_RUNS])
        parts: dict[str, list[list[Row]]] = {run_id: [[] for _ in _OF_RUNS] for run_id in run_ids}
        for number, rows in enumerate(found):
            for row in rows:
                parts[row[0]][number].append(row[1:])
        return [_loaded(run_id, parts[run_id], payloads, unpack) for run_id in run_ids]


def _loaded(
    run_id: str, parts: Sequence[list[Row]], payloads: Payloads, unpack: Unpack
) -> RunRecord | Exception:
    try:
        return _record(run_id, parts, payloads, unpack)
    except DamagedEntry as error:
        return error
    except DamagedStore as error:
        return DamagedEntry(run_id, None, str(error))
    except (StoreError, StoreFailed) as error:
        return error
    except _WRONG as error:  # where a store was changed by hand
        return DamagedEntry(run_id, None, f"what is kept beside its entries is wrong: {error!r}")


def _record(run_id: str, parts: Sequence[list[Row]], payloads: Payloads, unpack: Unpack) -> RunRecord:
    found, workflows, written, given = parts
    if not found:
        raise UnknownRun(run_id)
    row = found[0]
    summary, (settings, rules, digest_key, ending) = summary_of(row[:-4]), row[-4:]
    if ending is None and summary.state == "ended":
        raise DamagedEntry(run_id, None, "it has ended, and nothing says how")
    return RunRecord(
        summary,
        rules_of(run_id, rules),
        _key_of(digest_key),
        _workflows(workflows, payloads, unpack, run_id),
        _entries(written, unpack, summary),
        [answer_of(run_id, each, unpack) for each in given],
        None if ending is None else ending_of(summary.verdict or "", unpack(ending, place("ending", run_id))),
        json.loads(unpack(settings, place("settings", run_id))),
    )


def entries(db: Database, payloads: Payloads, run_id: str, since: int) -> list[Entry]:
    """The entries of a run from this number on."""
    get(db, run_id)
    sql = "SELECT seq, at, epoch, data FROM entries WHERE run_id = ? AND seq >= ? ORDER BY seq"
    with view(db):
        rows: list[Row] = db.execute(sql, (run_id, since)).fetchall()
        unpack = unpacker(db, payloads)
        _require_no_gap(run_id, rows, since)
        return [entry_of(run_id, row, unpack) for row in rows]


def _require_no_gap(run_id: str, rows: Sequence[Row], since: int = 0) -> None:
    for index, row in enumerate(rows, since):
        if row[0] != index:
            raise DamagedEntry(run_id, index, "is missing")


def _key_of(data: bytes) -> bytes:
    if not 0 < len(data) <= _MOST_BYTES_OF_A_KEY:
        raise DamagedStore("the key of its digests has a wrong length")
    return bytes(data)


def _entries(rows: Sequence[Row], unpack: Unpack, summary: Summary) -> list[Entry]:
    run_id = summary.run_id
    _require_no_gap(run_id, rows)
    if len(rows) != summary.entries:
        raise DamagedEntry(run_id, min(len(rows), summary.entries), f"{summary.entries} were written")
    return [entry_of(run_id, row, unpack) for row in rows]


def _workflows(
    rows: Sequence[Row], payloads: Payloads, unpack: Unpack, run_id: str
) -> dict[str, NewWorkflow]:
    found = {}
    for path, args, terms, name, data in rows:
        if data is None:
            raise DamagedEntry(run_id, None, f"the source of its workflow {path!r} is missing")
        workflow = workflow_of(
            run_id, (path, args, terms, name), unpack, payloads.unpack_blob(bytes(name), data)
        )
        found[workflow.path] = workflow
    if "" not in found:
        raise DamagedEntry(run_id, None, "its root workflow is missing")
    return found


def unpacker(db: Database, payloads: Payloads) -> Unpack:
    """Unpacks payloads, with what they refer to."""

    def fetch(name: bytes) -> bytes | None:
        row = db.execute("SELECT data FROM blobs WHERE hash = ?", (name,)).fetchone()
        return None if row is None else bytes(row[0])

    return lambda data, where: payloads.unpack(data, where, fetch)
