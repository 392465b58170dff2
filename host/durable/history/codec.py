"""Inputs of a run's core as compact JSON, one object each, and back.

A run is the fold of its inputs, so this is the whole form of a run that is kept. What must hold:

- Reading gives the input that was written, member by member: `tests/durable/test_codec.py` holds round trips
  of every kind, of lone surrogates, NUL, 1e308 and integers of any size that JSON may have.
- Each entry says its version (``v``). What version 1 wrote is read for ever; `tests/durable/golden/` has
  every kind of it. An entry of a later version is refused by name, never guessed at.
- Reading is strict: a member that is unknown, absent or of another type is a `DamagedEntry` with the run,
  the entry's number and a JSON Pointer, because a fold of half an input is another run.
- Members with the default value are left out, and texts are ASCII with escapes, so that both databases take
  them and the same input is always the same bytes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from flowcage.host.durable.errors import DamagedEntry, Unstorable
from flowcage.host.durable.history import typed, usual
from flowcage.host.durable.history.digests import Digests, digest, digests_of
from flowcage.host.durable.history.forms import (
    SCHEMA,
    Object,
    Redaction,
    call_form,
    call_of,
    only,
    request_form,
    request_of,
)
from flowcage.host.durable.history.reused import read_known, read_reused, reused_form
from flowcage.host.durable.history.typed import Decoded
from flowcage.host.run.core import inputs
from flowcage.host.run.core.inputs import NO_FACTS, NOTHING, Facts, Input, Reason, Said, Spent, State
from flowcage.protocol import strictjson
from flowcage.protocol.errors import ErrorReply
from flowcage.protocol.members import Members

VERSION = 1


def encode(given: Input, key: bytes = b"", redact: Redaction | None = None) -> bytes:
    """An input as one line of ASCII.

    Args:
        given: what happened.
        key: of the digests.
        redact: says what is stored of a request.

    Raises:
        Unstorable: it holds what is no JSON.
    """
    name = type(given).__name__.lower()
    try:
        if isinstance(given, Said) and redact is None and (text := usual.encoded(given, key)) is not None:
            return text
        form = {"v": VERSION, "t": name} | _WRITERS[name](given)
        if isinstance(given, Said):
            form |= _said(given, key, redact)
        return strictjson.dumps_ascii(form).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise Unstorable(f"an input of the type {name} is no JSON: {error}") from error


def decode(data: bytes, run_id: str, seq: int) -> Decoded:
    """The input that `encode` was given.

    Raises:
        DamagedEntry: it is none of this version's.
    """
    return typed.read(data) or carefully(data, run_id, seq)


def carefully(data: bytes, run_id: str, seq: int) -> Decoded:
    """As `decode`, by the rules alone."""
    try:
        members = Members(_DECODER.decode(data.decode("ascii")), SCHEMA)
        _require_version(members)
        return _READERS[members.choice("t", _NAMES)](members)
    except ErrorReply as error:
        raise DamagedEntry(run_id, seq, str(error)) from None
    except (ValueError, RecursionError) as error:
        raise DamagedEntry(run_id, seq, f"is not JSON: {error}") from None


def _require_version(members: Members) -> None:
    version = members.integer("v", 1, 2**31)
    if version > VERSION:
        what = f"has version {version}, this flowcage reads up to {VERSION}; use a newer one"
        raise members.error("/v", what)


# ---- writing ---------------------------------------------------------------------------------


def _said(said: Said, key: bytes, redact: Redaction | None) -> Object:
    digests = digests_of(key, said)
    form: Object = {"asked": digests.asked, "said": digests.said}
    if said.calls:
        form["calls"] = [call_form(each) for each in said.calls]
    if said.requests:
        kept = said.requests
        if redact is not None:
            kept = [redact(each, lambda value: digest(key, value)) for each in kept]
        form["requests"] = [request_form(each) for each in kept]
    if said.diagnostics:
        form["notes"] = [dict(note) for note in said.diagnostics]
    if said.state is not State.PENDING:
        form["state"] = said.state.value
    if said.known:
        form["known"] = dict(said.known)
    return form if said.result is None else form | {"result": said.result}


def _spent(spent: Spent) -> Object:
    return {} if spent == NOTHING else {"spent": list(spent)}


def _facts(facts: Facts) -> Object:
    return {"facts": dict(facts)} if facts else {}


def _refused(given: inputs.Refused) -> Object:
    form = {"id": given.id, "message": given.message} | _spent(given.spent) | _facts(given.facts)
    if given.reason is not Reason.REFUSED:
        form["reason"] = given.reason.value
    return form if given.text is None else form | {"text": given.text}


_WRITERS: Mapping[str, Callable[[Any], Object]] = MappingProxyType(
    {
        "opened": lambda it: (
            {"p": it.path, "name": it.source_name} | ({"request": it.request} if it.request else {})
        ),
        "compiled": lambda it: {"p": it.path, "dialect": it.dialect},
        "said": lambda it: {"p": it.path},
        "noted": lambda it: {"p": it.path, "note": dict(it.diagnostic)},
        "turn": lambda it: {"p": it.path},
        "answered": lambda it: {"id": it.id, "value": it.value} | _spent(it.spent) | _facts(it.facts),
        "refused": _refused,
        "reused": lambda it: reused_form(it) | _spent(it.spent) | _facts(it.facts),
        "heard": lambda it: {"id": it.id, "value": it.value} | _spent(it.spent) | _facts(it.facts),
        "charged": lambda it: {"id": it.id, "spent": list(it.spent)} | _facts(it.facts),
        "told": lambda it: {"id": it.id, "spent": list(it.spent)} | _facts(it.facts),
        "remembered": lambda it: {"id": it.id, "handle": it.handle},
        "lived": lambda it: {"cpu": it.cpu_seconds},
        "due": lambda it: {"id": it.id},
        "failed": lambda it: {"p": it.path, "message": it.message},
        "ended": lambda it: {"p": it.path} | ({"unbegun": sorted(it.unbegun)} if it.unbegun else {}),
    }
)


# ---- reading ---------------------------------------------------------------------------------


def _finite(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ValueError(f"the number {text[:20]} is too large for a double")
    return number


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


# Not `strictjson.loads`: its bounds are those of one message, and an entry is a message with more around it.
_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)


_STATES = tuple([each.value for each in State])
_REASONS = tuple([each.value for each in Reason])


def _read_said(it: Members) -> Decoded:
    said = Said(
        it.string("p"),
        tuple(map(call_of, it.objects("calls"))) if "calls" in it else (),
        tuple(map(request_of, it.objects("requests"))) if "requests" in it else (),
        tuple(map(_note, it.objects("notes"))) if "notes" in it else (),
        State(it.choice("state", _STATES)) if "state" in it else State.PENDING,
        it.required("result") if "result" in it else None,
        read_known(it.object("known")),
    )
    return Decoded(said, Digests(it.string("asked"), it.string("said")))


def _note(members: Members) -> Object:
    members.string("kind")
    return dict(members.items())


def _read_noted(it: Members) -> Decoded:
    note = it.object("note") or Members(it.required("note"), SCHEMA)
    return Decoded(inputs.Noted(it.string("p"), _note(note)))


def _read_compiled(it: Members) -> Decoded:
    dialect = it.required("dialect")
    if dialect is not None:
        dialect = it.choice("dialect", ("module", "script"))
    return Decoded(inputs.Compiled(it.string("p"), dialect))


_NUMBERS = (int, float)
_COSTS = (*_NUMBERS, type(None))


def _read_spent(it: Members) -> Spent:
    numbers = it.array("spent")
    kinds = [type(each) for each in numbers]
    if len(kinds) != 3 or kinds[0] is not int or kinds[1] not in _COSTS or kinds[2] not in _NUMBERS:
        raise it.error(it.at("spent"), "must be tokens, US dollars (or null) and seconds")
    return Spent(*numbers)


def _perhaps_spent(it: Members) -> Spent:
    return _read_spent(it) if "spent" in it else NOTHING


def _read_answer(kind: type[inputs.Answered] | type[inputs.Heard], it: Members) -> Decoded:
    return Decoded(kind(it.string("id"), it.required("value"), _perhaps_spent(it), _read_facts(it)))


def _read_charged(kind: type[inputs.Charged] | type[inputs.Told], it: Members) -> Decoded:
    return Decoded(kind(it.string("id"), _read_spent(it), _read_facts(it)))


def _read_facts(it: Members) -> Facts:
    facts = it.object("facts")
    return NO_FACTS if facts is None else dict(facts.items())


def _read_refused(it: Members) -> Decoded:
    reason = Reason(it.choice("reason", _REASONS)) if "reason" in it else Reason.REFUSED
    text = it.string("text") if "text" in it else None
    message, spent = it.string("message"), _perhaps_spent(it)
    return Decoded(inputs.Refused(it.string("id"), message, reason, text, spent, _read_facts(it)))


def _read_lived(it: Members) -> Decoded:
    seconds = it.required("cpu")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
        raise it.error(it.at("cpu"), "must be a number of 0 or more")
    return Decoded(inputs.Lived(seconds))


def _strict(known: str, read: Callable[[Members], Decoded]) -> Callable[[Members], Decoded]:
    names = frozenset(known.split()) | {"v", "t"}

    def reader(it: Members) -> Decoded:
        only(it, names)
        return read(it)

    return reader


_READERS: Mapping[str, Callable[[Members], Decoded]] = MappingProxyType(
    {
        "opened": _strict(
            "p name request",
            lambda it: Decoded(inputs.Opened(it.string("p"), it.string("name"), it.string("request", ""))),
        ),
        "compiled": _strict("p dialect", _read_compiled),
        "said": _strict("p calls requests notes state result known asked said", _read_said),
        "noted": _strict("p note", _read_noted),
        "turn": _strict("p", lambda it: Decoded(inputs.Turn(it.string("p")))),
        "answered": _strict("id value spent facts", partial(_read_answer, inputs.Answered)),
        "refused": _strict("id message reason text spent facts", _read_refused),
        "reused": _strict(
            "id value run request replaced spent agents facts",
            lambda it: Decoded(read_reused(it, _perhaps_spent(it))),
        ),
        "heard": _strict("id value spent facts", partial(_read_answer, inputs.Heard)),
        "charged": _strict("id spent facts", partial(_read_charged, inputs.Charged)),
        "told": _strict("id spent facts", partial(_read_charged, inputs.Told)),
        "remembered": _strict(
            "id handle", lambda it: Decoded(inputs.Remembered(it.string("id"), it.string("handle")))
        ),
        "lived": _strict("cpu", _read_lived),
        "due": _strict("id", lambda it: Decoded(inputs.Due(it.string("id")))),
        "failed": _strict(
            "p message", lambda it: Decoded(inputs.Failed(it.string("p"), it.string("message")))
        ),
        "ended": _strict(
            "p unbegun",
            lambda it: Decoded(inputs.Ended(it.string("p"), frozenset(it.strings("unbegun")))),
        ),
    }
)
_NAMES = tuple(_READERS)
