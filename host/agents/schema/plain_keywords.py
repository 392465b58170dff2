"""The keywords of a plain schema whose values contain no schema, and the check of each value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from flowcage.protocol.messages import Json

# The names of `type` by Python type. A type that is not here, such as a tuple, may become JSON when it is
# sent, so the answer for it is unknown.
NAMES: Mapping[type, frozenset[str]] = MappingProxyType(
    {
        type(None): frozenset({"null"}),
        bool: frozenset({"boolean"}),
        int: frozenset({"integer", "number"}),
        float: frozenset({"number"}),
        str: frozenset({"string"}),
        list: frozenset({"array"}),
        dict: frozenset({"object"}),
    }
)
# Of a member's name; comparing a longer one costs more than a step.
MAX_NAME_CHARACTERS = 1_000
_KINDS = frozenset().union(*NAMES.values())


def is_text(value: Json) -> bool:
    """Whether a value is a JSON string."""
    return isinstance(value, str)


def _is_name(value: Json) -> bool:
    return isinstance(value, str) and len(value) <= MAX_NAME_CHARACTERS


def _is_flag(value: Json) -> bool:
    return isinstance(value, bool)


def _is_bound(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Json) -> bool:
    return type(value) is int and value >= 0


def _is_anything(_value: Json) -> bool:
    return True


def _is_list(value: Json) -> bool:
    return isinstance(value, list)


def _are_names(value: Json) -> bool:
    return isinstance(value, list) and all(map(_is_name, value)) and len(set(value)) == len(value)


def _is_type(value: Json) -> bool:
    names = value if isinstance(value, list) else [value]
    return bool(names) and _are_names(names) and _KINDS.issuperset(names)


# The check of the value, by keyword. Those from $comment on are annotations, which every instance satisfies.
VALUES: Mapping[str, Callable[[Json], bool]] = MappingProxyType(
    {
        "type": _is_type,
        "const": _is_anything,
        "enum": _is_list,
        "required": _are_names,
        **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _is_bound),
        **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), _is_count),
        **dict.fromkeys(("minProperties", "maxProperties"), _is_count),
        **dict.fromkeys(("$comment", "title", "description", "format", "$schema"), is_text),
        **dict.fromkeys(("deprecated", "readOnly", "writeOnly"), _is_flag),
        "default": _is_anything,
        "examples": _is_list,
    }
)
