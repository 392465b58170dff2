"""The plain schemas, which the host applies itself in the event loop, counting the steps.

Most schemas of workflows are an object with some members, or a list of those. Here are the keywords for that
and no others: no references (`references` has put local ones in place), no patterns, nothing that compares
every item with every other. The schema and each value have a budget of steps, each of a third of a
microsecond on the machine of docs/performance.md.

The answer is yes or unknown, never no. So a schema that is wrong, a value that is refused and anything too
large take the same way, to the process that can explain it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

from flowcage.host.agents.schema.plain_keywords import MAX_NAME_CHARACTERS, NAMES, VALUES, is_text
from flowcage.protocol.messages import Json

MAX_SCHEMA_STEPS = 500
MAX_VALUE_STEPS = 3_000
# Levels of a schema. Values may be deeper, since only what the schema describes is visited.
MAX_DEPTH = 24
# Characters whose comparison costs as much as one step.
_CHARACTERS_A_STEP = 1_000


class _Budget:
    """The steps that are left; one too many raises `_Unsure`."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def spend(self, steps: int = 1) -> None:
        """Take steps out of the budget."""
        self._left -= steps
        if self._left < 0:
            raise _Unsure


class _Unsure(Exception):
    """The answer is not known here; `checker` is to be asked."""


def is_plain(schema: Json) -> bool:
    """Whether a value is a JSON Schema (2020-12) of plain keywords with valid values, within the budget."""
    try:
        _read(schema, _Budget(MAX_SCHEMA_STEPS), MAX_DEPTH)
    except _Unsure:
        return False
    return True


def accepts(schema: Json, value: Json) -> bool:
    """Whether a value is an instance of a plain schema; False also where the budget does not suffice.

    Args:
        schema: one that `is_plain` approved.
        value: any JSON value.
    """
    try:
        return _holds(schema, value, _Budget(MAX_VALUE_STEPS))
    except _Unsure:
        return False


def _read(schema: Json, budget: _Budget, depth: int) -> None:
    budget.spend()
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict) or depth == 0:
        raise _Unsure
    for keyword, value in schema.items():
        budget.spend()
        if keyword in VALUES:
            _count(value, budget, depth - 1)  # before the check, which visits all of the value
            if not VALUES[keyword](value):
                raise _Unsure
        else:
            for part in _parts(keyword, value):
                _read(part, budget, depth - 1)


def _parts(keyword: str, value: Json) -> Iterable[Json]:
    """The schemas in the value of a keyword, not checked yet."""
    if keyword in ("items", "additionalProperties", "not"):
        return [value]
    if keyword in ("anyOf", "oneOf", "allOf") and isinstance(value, list) and value:
        return value
    if keyword == "properties" and isinstance(value, dict):
        return _members(value)
    raise _Unsure


def _members(value: dict[str, Json]) -> Iterator[Json]:
    for name, member in value.items():
        if len(name) > MAX_NAME_CHARACTERS:
            raise _Unsure
        yield member


def _count(value: Json, budget: _Budget, depth: int) -> None:
    """Spend the steps of visiting a keyword's value, such as that of ``enum``."""
    if depth < 0:
        raise _Unsure
    budget.spend(1 + len(value) // _CHARACTERS_A_STEP if isinstance(value, str) else 1)
    if isinstance(value, dict | list):
        for part in _members(value) if isinstance(value, dict) else value:
            _count(part, budget, depth - 1)


def _holds(schema: Json, value: Json, budget: _Budget) -> bool:
    budget.spend()
    if type(value) not in NAMES:
        raise _Unsure
    if isinstance(schema, bool):
        return schema
    for keyword, wanted in schema.items():
        rule = _RULES.get(keyword)
        if rule is not None:
            budget.spend()
            if not rule(schema, wanted, value, budget):
                return False
    return True


def _type(_schema: Json, wanted: Json, value: Json, _budget: _Budget) -> bool:
    names = NAMES[type(value)]
    if type(value) is float and value.is_integer():
        names = NAMES[int]
    return wanted in names if isinstance(wanted, str) else not names.isdisjoint(wanted)


def _const(_schema: Json, wanted: Json, value: Json, budget: _Budget) -> bool:
    return _equal(wanted, value, budget)


def _enum(_schema: Json, wanted: Json, value: Json, budget: _Budget) -> bool:
    return any(_equal(each, value, budget) for each in wanted)


def _equal(one: Json, other: Json, budget: _Budget) -> bool:
    """Equality of JSON values: 1 equals 1.0, and neither equals true (in Python 1 == True)."""
    budget.spend()
    if type(other) not in NAMES:
        raise _Unsure
    if isinstance(one, dict) and isinstance(other, dict):
        budget.spend(len(one) // 4)
        names = one.keys() == other.keys()
        return names and all(_equal(value, other[name], budget) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(_equal(*pair, budget) for pair in pairs)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, str) and isinstance(other, str):
        budget.spend(len(one) // _CHARACTERS_A_STEP)
    return bool(one == other)


def _required(_schema: Json, wanted: Json, value: Json, budget: _Budget) -> bool:
    budget.spend(len(wanted))
    return not isinstance(value, dict) or all(name in value for name in wanted)


def _properties(_schema: Json, wanted: Json, value: Json, budget: _Budget) -> bool:
    if not isinstance(value, dict):
        return True
    budget.spend(len(wanted) + len(value) // 4)
    if not all(map(is_text, value)):  # a handler's dict may have other keys, which JSON makes texts
        raise _Unsure
    return all(_holds(part, value[name], budget) for name, part in wanted.items() if name in value)


def _additional(schema: Json, wanted: Json, value: Json, budget: _Budget) -> bool:
    if not isinstance(value, dict):
        return True
    budget.spend(len(value))
    known = schema.get("properties", {})
    return all(_holds(wanted, member, budget) for name, member in value.items() if name not in known)


def _items(_schema: Json, wanted: Json, value: Json, budget: _Budget) -> bool:
    return not isinstance(value, list) or all(_holds(wanted, item, budget) for item in value)


def _all(_schema: Json, wanted: Json, value: Json, budget: _Budget) -> bool:
    return all(_holds(part, value, budget) for part in wanted)


def _any(_schema: Json, wanted: Json, value: Json, budget: _Budget) -> bool:
    return any(_holds(part, value, budget) for part in wanted)


def _one(_schema: Json, wanted: Json, value: Json, budget: _Budget) -> bool:
    return sum(_holds(part, value, budget) for part in wanted) == 1


def _not(_schema: Json, wanted: Json, value: Json, budget: _Budget) -> bool:
    return not _holds(wanted, value, budget)


def _number(holds: Callable[[float, float], bool]) -> _Rule:
    def rule(_schema: Json, wanted: Json, value: Json, _budget: _Budget) -> bool:
        return isinstance(value, bool) or not isinstance(value, int | float) or holds(value, wanted)

    return rule


def _size(
    kind: type[str] | type[list[Json]] | type[dict[str, Json]], holds: Callable[[int, int], bool]
) -> _Rule:
    def rule(_schema: Json, wanted: Json, value: Json, _budget: _Budget) -> bool:
        return not isinstance(value, kind) or holds(len(value), wanted)

    return rule


def _at_least(size: float, wanted: float) -> bool:
    return size >= wanted


def _at_most(size: float, wanted: float) -> bool:
    return size <= wanted


# Whether a value satisfies one keyword; the arguments are the schema, the keyword's value, the value, the
# budget.
_Rule = Callable[[Json, Json, Json, _Budget], bool]
_RULES: Mapping[str, _Rule] = MappingProxyType(
    {
        "type": _type,
        "const": _const,
        "enum": _enum,
        "required": _required,
        "properties": _properties,
        "additionalProperties": _additional,
        "items": _items,
        "allOf": _all,
        "anyOf": _any,
        "oneOf": _one,
        "not": _not,
        "minimum": _number(_at_least),
        "maximum": _number(_at_most),
        "exclusiveMinimum": _number(lambda value, wanted: value > wanted),
        "exclusiveMaximum": _number(lambda value, wanted: value < wanted),
        "minLength": _size(str, _at_least),
        "maxLength": _size(str, _at_most),
        "minItems": _size(list, _at_least),
        "maxItems": _size(list, _at_most),
        "minProperties": _size(dict, _at_least),
        "maxProperties": _size(dict, _at_most),
    }
)
