"""Events from JSON, as `Event.to_json` writes it; it is anybody's, and what is of another form is refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import Field, fields
from typing import Any

from flowcage.host.agents.answer import usage_of
from flowcage.host.events.event import Event
from flowcage.host.events.records import BY_TYPE, Requested
from flowcage.host.outcome.report import Census
from flowcage.host.outcome.usage import Usage
from flowcage.host.resume.looking.telling import Resumed
from flowcage.protocol.limits import camel_case
from flowcage.protocol.messages import Json

_MOST = 2**53


class NoEvent(ValueError):
    """A value is no event that this version knows; the message says why."""


def event_of(value: Json) -> Event:
    """The event that is written so. Raises `NoEvent`."""
    if not isinstance(value, dict):
        raise NoEvent("it is no object")
    name = value.get("type")
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise NoEvent(f"its type is none of an event: {str(name)[:40]!r}")
    members = value
    if kind is Requested:  # its kind stands in the request
        request = value.get("request")
        members = value | {"kind": request.get("type", "") if isinstance(request, dict) else ""}
    given = {each.name: _member(members, each) for each in fields(kind) if _is_there(members, each)}
    return kind(**given)


def _is_there(members: Mapping[str, Json], field: Field[Any]) -> bool:
    if camel_case(field.name) in members:
        return True
    if field.default is NO_DEFAULT and field.default_factory is NO_DEFAULT:
        raise NoEvent(f"it has no {camel_case(field.name)}")
    return False


def _member(members: Mapping[str, Json], field: Field[Any]) -> Any:
    name = camel_case(field.name)
    try:
        return READERS[str(field.type)](members[name])
    except (TypeError, ValueError, KeyError):
        raise NoEvent(f"its {name} is not of the form that an event has there") from None


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    number = float(min(max(value, -_MOST), _MOST))
    if math.isnan(number):
        raise ValueError
    return number


def _count(value: Json) -> int:
    return int(_number(value))


def _truth(value: Json) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _object(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise TypeError
    return value


def _list(value: Json) -> tuple[Json, ...]:
    if not isinstance(value, list):
        raise TypeError
    return tuple(value)


def _or_none(read: Callable[[Json], Any]) -> Callable[[Json], Any]:
    return lambda value: None if value is None else read(value)


def _usage(value: Json) -> Usage:
    """Of a run: only what is a number of it."""
    names = {each.name: each for each in fields(Usage) if str(each.type) in ("int", "float")}
    told = _object(value)
    given = {name: READERS[str(each.type)](told.get(camel_case(name), 0)) for name, each in names.items()}
    return Usage(**given)


def _census(value: Json) -> Census:
    told = _object(value)
    return Census(**{each.name: _count(told.get(camel_case(each.name), 0)) for each in fields(Census)})


def _any(value: Json) -> Json:
    return value


# By the types that members of events have; a test holds that there are no others.
READERS: Mapping[str, Callable[[Json], Any]] = {
    "str": _text,
    "str | None": _or_none(_text),
    "str | Missing": _text,
    "float": _number,
    "float | None": _or_none(_number),
    "int": _count,
    "bool": _truth,
    "Json": _any,
    "Json | Missing": _any,
    "Any": _any,
    "tuple[Json, ...]": _list,
    "Mapping[str, Json]": _object,
    "Mapping[str, Json] | None": _or_none(_object),
    "Mapping[str, float]": _object,
    "Mapping[str, str]": _object,
    "AgentUsage | None": usage_of,
    "Verdict": _text,
    "Usage": _usage,
    "Census": _census,
}
_KINDS: Mapping[str, type[Event]] = {**BY_TYPE, Resumed.TYPE: Resumed}
