"""A workflow's schema as the `claude` program takes it.

The program gives the schema to its model as the input of a tool, and applies it with a validator of draft 7
that knows no formats and refuses unknown keywords; then it goes on without a word, as if there were no
schema. So keywords that it does not know are left out. What is left allows more and never less; the prompt
has the whole schema then, and the run applies that to the answer.

The input of a tool is an object: any other root is put into one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from flowcage.protocol.messages import Json

_WRAPPED = "answer"
_PLAIN = frozenset(
    {"type", "enum", "const", "required", "title", "description", "default", "examples", "$comment"}
    | {"multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
    | {"minLength", "maxLength", "pattern", "minItems", "maxItems", "uniqueItems"}
    | {"minProperties", "maxProperties", "readOnly", "writeOnly", "deprecated"}
)
_ONE = frozenset({"items", "additionalProperties", "propertyNames", "contains", "then", "else"})
_LISTS = frozenset({"allOf", "anyOf", "oneOf"})
_MAPS = frozenset({"properties", "patternProperties", "$defs", "definitions"})
_NONE: frozenset[str] = frozenset()
# What a keyword says is another thing without these.
_CHANGING = {"items": frozenset({"prefixItems"}), "contains": frozenset({"minContains"})}
# Where these have lost a keyword, the schema around them allows less.
_TURNING = frozenset({"not", "if"})
# What the input of a tool may not have at its root.
_NOT_AT_ROOT = frozenset({"$ref", "allOf", "anyOf", "oneOf"})


class NotTaken(Exception):
    """The program takes no schema like this."""


class Taken(NamedTuple):
    """A schema for the program.

    Attributes:
        schema: its root is an object.
        is_wrapped: whether the answer is in a member of that object.
        is_whole: whether it says all that the workflow's schema says.
    """

    schema: dict[str, Json]
    is_wrapped: bool
    is_whole: bool

    def restored(self, value: Json) -> Json:
        """The answer that the workflow's schema describes, of what the program gave."""
        is_inside = self.is_wrapped and isinstance(value, dict) and value.keys() == {_WRAPPED}
        return value[_WRAPPED] if is_inside and isinstance(value, dict) else value


def taken(schema: Json) -> Taken:
    """Bring a schema into the form that the program takes.

    Raises:
        NotTaken: it cannot be.
    """
    is_object = (
        isinstance(schema, dict) and schema.get("type") == "object" and not _NOT_AT_ROOT & schema.keys()
    )
    work = _Work("#" if is_object else f"#/properties/{_WRAPPED}")
    rooted = {name: schema[name] for name in schema if name != "$id"} if isinstance(schema, dict) else schema
    try:
        kept = work.keep(rooted)
    except RecursionError:
        raise NotTaken("it is nested too deep") from None
    if is_object and isinstance(kept, dict):
        return Taken(kept, False, not work.has_lost)
    wrapped: dict[str, Json] = {"type": "object", "properties": {_WRAPPED: kept}, "required": [_WRAPPED]}
    return Taken(wrapped, True, not work.has_lost)


@dataclass
class _Work:
    """Leaves keywords out of one schema.

    Attributes:
        root: where the schema's root is in what is made.
        has_lost: whether something was left out.
    """

    root: str
    has_lost: bool = field(default=False, init=False)

    def keep(self, schema: Json) -> Json:
        """What is left of a schema."""
        if not isinstance(schema, dict):
            return schema
        kept: dict[str, Json] = {}
        for name, value in schema.items():
            self._keep_one(kept, name, value, schema)
        if "if" not in kept and (kept.pop("then", None), kept.pop("else", None)) != (None, None):
            self.has_lost = True
        return kept

    def _keep_one(self, kept: dict[str, Json], name: str, value: Json, schema: dict[str, Json]) -> None:
        if name == "$ref":
            kept[name] = self._moved(value)
        elif name == "$id":
            raise NotTaken("its references are not paths from its root")
        elif name in _PLAIN:
            kept[name] = value
        elif name in _ONE and not _CHANGING.get(name, _NONE) & schema.keys():
            kept[name] = [self.keep(each) for each in value] if isinstance(value, list) else self.keep(value)
        elif name in _LISTS and isinstance(value, list):
            self._keep_list(kept, name, value, "anyOf" in schema)
        elif name in _MAPS and isinstance(value, dict):
            kept[name] = {each: self.keep(inside) for each, inside in value.items()}
        elif name in _TURNING:
            self._keep_turning(kept, name, value)
        elif name != "$schema":
            self.has_lost = True

    def _keep_list(self, kept: dict[str, Json], name: str, schemas: list[Json], has_any_of: bool) -> None:
        before, self.has_lost = self.has_lost, False
        inside: list[Json] = [self.keep(each) for each in schemas]
        # Of alternatives that allow more, two may allow the same value.
        if not (name == "oneOf" and self.has_lost):
            kept[name] = inside
        elif not has_any_of:
            kept["anyOf"] = inside
        self.has_lost = self.has_lost or before

    def _keep_turning(self, kept: dict[str, Json], name: str, schema: Json) -> None:
        before, self.has_lost = self.has_lost, False
        inside = self.keep(schema)
        if not self.has_lost:
            kept[name] = inside
        self.has_lost = self.has_lost or before

    def _moved(self, reference: Json) -> Json:
        if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
            raise NotTaken("it has a reference that is no path in it")
        return self.root + reference[1:]
