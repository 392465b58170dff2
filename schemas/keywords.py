"""Implementations of JSON Schema keywords (2020-12) that jsonschema uses in place of its own.

Those that refuse a value have messages without the value, with the words of `protocol/members.py`. jsonschema
puts the refused value into every message, also where nobody reads it: for a line of 8 MiB that takes a
second.

Those that apply another schema keep its validator. jsonschema resolves and compiles it again for every value,
which is nine tenths of its time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from jsonschema import Draft202012Validator, TypeChecker
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from flowcage.schemas.registry import lookup

Schema: TypeAlias = dict[str, Any]
Errors: TypeAlias = Iterator[ValidationError]

_EXPECTED = {
    "array": "an array",
    "boolean": "a boolean",
    "integer": "an integer",
    "number": "a number",
    "null": "null",
    "object": "an object",
    "string": "a string",
}
_CAME: dict[type[Any], str] = {
    bool: "a boolean",
    dict: "an object",
    float: "a number",
    int: "a number",
    list: "an array",
    str: "a string",
    type(None): "null",
}

_MAX_QUOTED = 40  # characters of a refused value that a message quotes


# ---- keywords that refuse a value ------------------------------------------------------------


def _type(validator: Validator, types: Any, value: Any, _schema: Schema) -> Errors:
    allowed = [types] if isinstance(types, str) else types
    if not any(validator.is_type(value, name) for name in allowed):
        expected = " or ".join(_EXPECTED[name] for name in allowed)
        yield ValidationError(f"must be {expected}, not {_came(value)}")


def _required(_validator: Validator, names: Any, value: Any, _schema: Schema) -> Errors:
    if isinstance(value, dict):
        for name in names:
            if name not in value:
                yield ValidationError(f"member {name!r} is required")


def _enum(_validator: Validator, options: Any, value: Any, _schema: Schema) -> Errors:
    if value not in options:
        came = repr(value[:_MAX_QUOTED]) if isinstance(value, str) else _came(value)
        yield ValidationError(f"must be one of {', '.join(map(repr, options))}, not {came}")


def _const(_validator: Validator, option: Any, value: Any, _schema: Schema) -> Errors:
    if value != option:
        yield ValidationError(f"must be {option!r}")


def _minimum(_validator: Validator, least: Any, value: Any, schema: Schema) -> Errors:
    if _is_number(value) and value < least:
        yield ValidationError(_range(schema))


def _maximum(_validator: Validator, most: Any, value: Any, schema: Schema) -> Errors:
    if _is_number(value) and value > most:
        yield ValidationError(_range(schema))


def _min_length(_validator: Validator, least: Any, value: Any, _schema: Schema) -> Errors:
    if isinstance(value, str) and len(value) < least:
        yield ValidationError("must not be empty")


def _min_items(_validator: Validator, least: Any, value: Any, _schema: Schema) -> Errors:
    if isinstance(value, list) and len(value) < least:
        yield ValidationError("must not be empty")


def _is_number(value: Any) -> bool:
    return type(value) is int or type(value) is float


def _came(value: Any) -> str:
    return _CAME.get(type(value), "something else")


def _range(schema: Schema) -> str:
    return f"must be from {schema['minimum']} to {schema['maximum']}"


# ---- keywords that apply another schema ------------------------------------------------------

# Validators by reference, and by the address of a schema: `loader.document` keeps all schemas for ever.
_by_reference: dict[str, Validator] = {}
_by_address: dict[int, Validator] = {}


def _ref(validator: Validator, reference: Any, value: Any, _schema: Schema) -> Errors:
    target = _by_reference.get(reference)
    if target is None:
        target = _by_reference[reference] = validator.evolve(schema=lookup(reference))
    yield from target.iter_errors(value)


def _properties(validator: Validator, properties: Any, value: Any, _schema: Schema) -> Errors:
    if isinstance(value, dict):
        for name, schema in properties.items():
            if name in value:
                yield from _inside(name, _compiled(validator, schema).iter_errors(value[name]))


def _items(validator: Validator, schema: Any, value: Any, _schema: Schema) -> Errors:
    if isinstance(value, list):
        compiled = _compiled(validator, schema)
        for index, item in enumerate(value):
            yield from _inside(index, compiled.iter_errors(item))


def _if(validator: Validator, condition: Any, value: Any, schema: Schema) -> Errors:
    branch = "then" if _compiled(validator, condition).is_valid(value) else "else"
    if branch in schema:
        yield from _compiled(validator, schema[branch]).iter_errors(value)


def _compiled(validator: Validator, schema: Any) -> Validator:
    compiled = _by_address.get(id(schema))
    if compiled is None:
        compiled = _by_address[id(schema)] = validator.evolve(schema=schema)
    return compiled


def _inside(token: str | int, errors: Iterable[ValidationError]) -> Errors:
    for error in errors:
        error.path.appendleft(token)
        yield error


def _is_integer(_checker: TypeChecker, value: Any) -> bool:
    """Whether a value is an integer by the contract: 1.0 is not, although JSON Schema counts it as one."""
    return type(value) is int


# The stubs of jsonschema leave `extend` without types.
ContractValidator = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    validators={
        "type": _type,
        "required": _required,
        "enum": _enum,
        "const": _const,
        "minimum": _minimum,
        "maximum": _maximum,
        "minLength": _min_length,
        "minItems": _min_items,
        "$ref": _ref,
        "properties": _properties,
        "items": _items,
        "if": _if,
    },
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)
