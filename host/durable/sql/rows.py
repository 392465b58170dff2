"""From rows to records, and the values that columns hold as text."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, cast

from flowcage.host.durable.errors import DamagedEntry, DamagedStore
from flowcage.host.durable.history import codec
from flowcage.host.durable.records import Cancel, Ending, Entry, NewWorkflow, OutsideAnswer, Summary
from flowcage.host.durable.sql.database import Row
from flowcage.host.durable.sql.payloads import place
from flowcage.host.durable.sql.schema import unescaped
from flowcage.host.run.core.inputs import Answered, Refused
from flowcage.host.run.core.rules import AGENT_FAILURES, Rules
from flowcage.protocol.limits import FIELD_NAMES, Limits, refuse_absurd
from flowcage.protocol.messages import MISSING, Budget

# Unpacks a payload that is at a place: its bytes, with blobs fetched.
Unpack = Callable[[bytes, bytes], bytes]

SUMMARY = """run_id, tenant, state, verdict, source_name, start_key, forked_from, forked_at, owner, epoch,
entries, bytes, wake_at, sleeps, cancel_at, cancel_reason, created_at, updated_at, written_at, expires_at,
delete_after, pool, priority, made_by, takeovers, progress, held, tries"""

_COLUMNS = SUMMARY.replace("\n", " ").split(", ")
_TEXTS = (
    "run_id",
    "tenant",
    "state",
    "verdict",
    "source_name",
    "start_key",
    "forked_from",
    "owner",
    "cancel_reason",
    *("pool", "made_by", "held"),
)
_ABSENT = (
    *("verdict", "start_key", "forked_from", "forked_at", "owner", "wake_at", "cancel_at", "cancel_reason"),
    *("expires_at", "delete_after", "pool"),
)
_TYPES = tuple(
    (str if name in _TEXTS else int, *((type(None),) if name in _ABSENT else ())) for name in _COLUMNS
)


def summary_of(row: Row) -> Summary:
    """A run, from the columns of `SUMMARY`. Raises `DamagedEntry`: SQLite keeps any type in any column."""
    _require_types(row)
    (run_id, tenant, state, verdict, source_name, start_key, forked_from, forked_at, owner, epoch) = row[:10]
    (entries, size, wake_at, sleeps, cancel_at, reason, created_at, updated_at) = row[10:18]
    (written_at, expires_at, delete_after, pool, priority, made_by, takeovers, progress, held, tries) = row[
        18:
    ]
    try:
        return Summary(
            *(run_id, unescaped(tenant), state, verdict, unescaped(source_name)),
            None if start_key is None else unescaped(start_key),
            *(forked_from, forked_at, owner, epoch, entries, size, wake_at, sleeps),
            None if cancel_at is None else Cancel(cancel_at, unescaped(reason or "")),
            *(created_at, updated_at, written_at, expires_at, delete_after),
            *(None if pool is None else unescaped(pool), priority, unescaped(made_by)),
            *(takeovers, progress, unescaped(held)),
            tries=tries,
        )
    except ValueError as error:  # of `unescaped`
        raise DamagedEntry(run_id, None, f"a text of it cannot be read: {error}") from None


def _require_types(row: Row) -> None:
    for name, types, value in zip(_COLUMNS, _TYPES, row, strict=True):
        if type(value) not in types:
            raise DamagedEntry(str(row[0]), None, f"its {name} is no {types[0].__name__}: {value!r:.40}")


def encoded_text(text: str) -> bytes:
    """A text of any characters, lone surrogates included."""
    return text.encode("utf-8", "surrogatepass")


def decoded_text(data: bytes) -> str:
    """The text again."""
    return data.decode("utf-8", "surrogatepass")


def encoded_rules(rules: Rules) -> str:
    """The rules as JSON."""
    return json.dumps(rules._asdict() | {"handlers": sorted(rules.handlers)}, separators=(",", ":"))


def rules_of(run_id: str, text: str) -> Rules:
    """The rules again; those that were added since then have their defaults.

    Raises:
        DamagedEntry: a rule is not known here.
    """
    members: dict[str, Any] = json.loads(text)
    unknown = members.keys() - set(Rules._fields)
    if unknown:
        names = ", ".join(sorted(unknown))
        raise DamagedEntry(
            run_id, None, f"its rules have {names}, which this flowcage does not know; use a newer one"
        )
    rules = Rules(**members | {"handlers": frozenset(members["handlers"])})
    for name, value in rules._asdict().items():
        if not _may_be(name, value):
            raise DamagedEntry(run_id, None, f"its rule {name} cannot be {value!r}")
    return rules


def _may_be(name: str, value: Any) -> bool:
    if name == "handlers":
        return all(type(each) is str for each in value)
    if name == "agent_failure":
        return value is None or value in AGENT_FAILURES
    if name == "max_cost_usd":
        return value is None or (type(value) in (int, float) and 0 < value < math.inf)
    usual = Rules._field_defaults[name]
    return (value is None and usual is None) or type(value) is (int if usual is None else type(usual))


def workflow_of(run_id: str, row: Row, unpack: Unpack, source: bytes) -> NewWorkflow:
    """A workflow, from path, args, terms and the name of its source."""
    path, args, terms_data, name = row
    terms = json.loads(unpack(terms_data, place("terms", run_id, path)))
    if terms.get("source", bytes(name).hex()) != bytes(name).hex():
        raise DamagedStore("its source is another one than it was begun with")
    refuse_absurd(Limits()._replace(**{FIELD_NAMES[name]: value for name, value in terms["limits"].items()}))
    return NewWorkflow(
        unescaped(path),
        decoded_text(source),
        terms["sourceName"],
        None if args is None else decoded_text(unpack(args, place("args", run_id, path))),
        terms["dialect"],
        Budget(*terms["budget"]),
        terms["limits"],
        terms["madeBy"],
        terms.get("agent", ""),
        terms.get("reuse"),
        _texts(terms.get("modules", {})),
    )


def _texts(members: Any) -> dict[str, str]:
    if not isinstance(members, dict) or any(type(text) is not str for text in members.values()):
        raise ValueError("its modules are no texts")
    return members


def entry_of(run_id: str, row: Row, unpack: Unpack) -> Entry:
    """An entry, from seq, at, epoch and data. Raises `DamagedEntry`."""
    seq, at, epoch, data = row
    if type(at) not in (int, float) or not math.isfinite(at):
        raise DamagedEntry(run_id, seq, "has no time")
    try:
        plain = unpack(data, place("entry", run_id, seq))
    except DamagedStore as error:
        raise DamagedEntry(run_id, seq, str(error)) from None
    decoded = codec.decode(plain, run_id, seq)
    return Entry(seq, at, epoch, decoded.input, decoded.digests)


def answer_of(run_id: str, row: Row, unpack: Unpack) -> OutsideAnswer:
    """An answer from outside, from request, at and data."""
    request, at, data = row
    given = codec.decode(unpack(data, place("answer", run_id, request)), run_id, 0).input
    return OutsideAnswer(unescaped(request), cast("Answered | Refused", given), at)


def encoded_ending(ending: Ending) -> bytes:
    """An ending without its verdict, which is a column."""
    form = {"error": ending.error, "usage": ending.usage}
    if ending.result is not MISSING:
        form["result"] = ending.result
    return json.dumps(form, separators=(",", ":"), allow_nan=False).encode("ascii")


def ending_of(verdict: str, plain: bytes) -> Ending:
    """The ending again."""
    form = json.loads(plain)
    return Ending(verdict, form.get("result", MISSING), form["error"], form["usage"])
