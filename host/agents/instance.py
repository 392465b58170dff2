"""Makes a small instance of a JSON Schema: what `echo` answers where a model would.

Nobody can do this for every schema. Here candidates are built from what the schema says, smallest first,
and the schema itself picks the first that it accepts; when none is, that is an error, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, count, product

from flowcage.host.agents import scalars
from flowcage.host.agents.scalars import Parts, given
from flowcage.host.agents.schema import Schema
from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json

# Levels of objects and arrays that an instance may have.
MAX_DEPTH = 64
# Schemas that one value may have to satisfy at once; more come from a reference that leads to itself.
MAX_PARTS = 64
# Work for looking at a candidate or an alternative at all, however small they are.
STEP_WORK = 1_000

_TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
# What a schema without a type is about.
_HINTS = {
    "object": ("properties", "required", "additionalProperties", "patternProperties", "minProperties"),
    "array": ("items", "prefixItems", "minItems", "contains"),
    "string": ("minLength", "maxLength", "pattern", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}


class NoInstance(Exception):
    """No candidate satisfies the schema; the message says where and why the last one did not."""


class TooCostly(Exception):
    """The work allowed was used up before an instance was found."""


def make(schema: Schema, whole: Json, work: int) -> Json:
    """Make an instance, with the least depth there is.

    Args:
        schema: what the instance must satisfy.
        whole: the same schema as JSON.
        work: bound of what may be done, in characters of schema applied to characters of candidates.

    Raises:
        NoInstance: none was found.
        TooCostly: `work` was not enough.
        SchemaError: the schema cannot be applied.
    """
    maker = _Maker(schema, work)
    for depth in range(MAX_DEPTH):
        try:
            return maker.make([whole], "", depth)
        except NoInstance:
            if not maker.cut_short():
                raise
    raise NoInstance(f"it asks for more than {MAX_DEPTH} levels")


class _Maker:
    """The search. Each method makes or yields candidates for one place of the instance.

    A place is a list of schemas that hold there, a JSON Pointer, and how many levels may be below it.
    """

    def __init__(self, schema: Schema, work: int) -> None:
        self._schema = schema
        self._left = work
        self._cut = False
        self._entangled = False

    def cut_short(self) -> bool:
        """Whether the depth allowed kept the last search from an instance; asking forgets it."""
        cut, self._cut = self._cut, False
        return cut

    def make(self, schemas: list[Json], path: str, depth: int) -> Json:
        """The first candidate that satisfies all the schemas of a place."""
        if depth < 0:
            self._cut = True
            raise NoInstance(f"{path}: too deep")
        problem: NoInstance | None = None
        for parts in self._alternatives(schemas, []):
            for kind in _kinds(parts):
                try:
                    for value in self._candidates(kind, parts, path, depth):
                        if self._accepts(schemas, value):
                            return value
                        problem = _refused(path, value)
                except NoInstance as error:
                    problem = error
        raise problem or self._nothing(path)

    def _nothing(self, path: str) -> NoInstance:
        why = f"more than {MAX_PARTS} schemas at once" if self._entangled else "no value can be right"
        return NoInstance(f"{path or '(root)'}: {why}")

    def _accepts(self, schemas: list[Json], value: Json) -> bool:
        self._spend(STEP_WORK + len(strictjson.dumps(schemas)) * len(strictjson.dumps(value)))
        return all(self._schema.accepts(schema, value) for schema in schemas)

    def _spend(self, work: int) -> None:
        self._left -= work
        if self._left < 0:
            raise TooCostly

    def _alternatives(self, todo: list[Json], done: list[dict[str, Json]]) -> Iterator[Parts]:
        """Follow references and ``allOf``, and choose from ``anyOf``, ``oneOf`` and ``if``, in every way."""
        self._spend(STEP_WORK)
        if not todo:
            yield done
            return
        first, rest = todo[0], todo[1:]
        if first is True:
            yield from self._alternatives(rest, done)
        elif len(done) >= MAX_PARTS:
            self._entangled = True
        elif first is not False:
            for chosen in product(*_choices(first)):
                yield from self._alternatives([*self._implied(first), *chosen, *rest], [*done, first])

    def _implied(self, schema: dict[str, Json]) -> list[Json]:
        references = [schema[keyword] for keyword in ("$ref", "$dynamicRef") if keyword in schema]
        return [*schema.get("allOf", []), *map(self._schema.resolve, references)]

    def _candidates(self, kind: str, parts: Parts, path: str, depth: int) -> Iterator[Json]:
        if kind == "literal":
            yield from _literals(parts)
        elif kind == "string":
            self._spend(scalars.least_length(parts))
            yield from scalars.strings(parts)
        elif kind in ("integer", "number"):
            yield from scalars.numbers(parts, whole=kind == "integer")
        elif kind == "array":
            yield self._array(parts, path, depth)
        elif kind == "object":
            yield from self._objects(parts, path, depth)
        else:
            yield from [None] if kind == "null" else [False, True]

    def _array(self, parts: Parts, path: str, depth: int) -> list[Json]:
        first = max(map(len, given(parts, "prefixItems")), default=0)  # that may hold what `contains` wants
        last = first + max(map(_contained, parts), default=0)
        size = max([last if any(map(_contained, parts)) else 0, *map(int, given(parts, "minItems"))])
        self._spend(size * STEP_WORK)
        items: list[Json] = []
        for index in range(size):
            schemas = [schema for part in parts for schema in _item_schemas(part, index, first)]
            if any(given(parts, "uniqueItems")) and items:
                schemas.append({"not": {"enum": list(items)}})
            items.append(self.make(schemas, f"{path}/{index}", depth - 1))
        return items

    def _objects(self, parts: Parts, path: str, depth: int) -> Iterator[dict[str, Json]]:
        """The object of required members; then, for what rules that out, the one of all known members."""
        known = list(dict.fromkeys(chain.from_iterable(given(parts, "properties"))))
        least = int(max(given(parts, "minProperties"), default=0))
        self._spend(least * STEP_WORK)
        names = _required(parts)
        yield self._object(_filled(names, known, least), parts, path, depth)
        if not set(known) <= set(names):
            yield self._object(list(dict.fromkeys(names + known)), parts, path, depth)

    def _object(self, names: list[str], parts: Parts, path: str, depth: int) -> dict[str, Json]:
        made = {}
        for name in names:
            schemas = [schema for part in parts for schema in _member_schemas(part, name)]
            pointer = name.replace("~", "~0").replace("/", "~1")
            made[name] = self.make(schemas, f"{path}/{pointer}", depth - 1)
        return made


def _refused(path: str, value: Json) -> NoInstance:
    text = strictjson.dumps(value)
    shown = text if len(text) <= 80 else f"{text[:80]}…"
    return NoInstance(f"{path or '(root)'}: {shown} is not right, and nothing else came to mind")


def _choices(schema: dict[str, Json]) -> list[list[Json]]:
    """Lists of schemas, from each of which one must hold."""
    choices = [schema[keyword] for keyword in ("anyOf", "oneOf") if keyword in schema]
    if "if" in schema:
        met = {"allOf": [schema["if"], schema.get("then", True)]}
        choices.append([schema.get("else", True), met])
    return choices


def _kinds(parts: Parts) -> list[str]:
    """Kinds of candidates to try, in order: values that the schema spells out come first."""
    if given(parts, "const") or given(parts, "enum"):
        return ["literal"]
    stated = given(parts, "type")
    if stated:
        narrowed = (_common_kind(name, stated) for name in _as_list(stated[0]))
        return ["literal", *filter(None, narrowed)]
    kinds = [kind for kind, words in _HINTS.items() if any(given(parts, word) for word in words)]
    return ["literal", *(kinds or _TYPES)]


def _common_kind(name: str, stated: list[Json]) -> str | None:
    """A type, narrowed until every ``type`` allows it; None where there is none."""
    for kind in (name, "integer") if name == "number" else (name,):
        if all(_allows(each, kind) for each in stated):
            return kind
    return None


def _allows(stated: Json, kind: str) -> bool:
    names = _as_list(stated)
    return kind in names or (kind == "integer" and "number" in names)


def _as_list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


def _literals(parts: Parts) -> Iterator[Json]:
    yield from given(parts, "const")
    yield from chain.from_iterable(given(parts, "enum"))
    yield from given(parts, "default")
    yield from chain.from_iterable(given(parts, "examples"))


def _contained(part: dict[str, Json]) -> int:
    """How many items ``contains`` asks for."""
    return int(part.get("minContains", 1)) if "contains" in part else 0


def _item_schemas(part: dict[str, Json], index: int, first: int) -> list[Json]:
    """What one schema asks of an item; what it must contain comes from index `first` on."""
    prefix = part.get("prefixItems", [])
    schemas = [prefix[index] if index < len(prefix) else part.get("items", True)]
    if first <= index < first + _contained(part):
        schemas.append(part["contains"])
    return schemas


def _member_schemas(part: dict[str, Json], name: str) -> list[Json]:
    """What one schema asks of a member."""
    declared = part.get("properties", {})
    schemas = [declared[name]] if name in declared else []
    patterns = part.get("patternProperties", {})
    schemas += [schema for expression, schema in patterns.items() if re.search(expression, name)]
    return schemas or [part.get("additionalProperties", True)]


def _required(parts: Parts) -> list[str]:
    """Names that must be there, those included that others bring with them."""
    names = list(dict.fromkeys(chain.from_iterable(given(parts, "required"))))
    for name in names:  # grows while it is walked
        for dependent in given(parts, "dependentRequired"):
            names += [each for each in dependent.get(name, []) if each not in names]
    return names


def _filled(names: list[str], known: list[str], least: int) -> list[str]:
    """At least so many names: known ones first, then made-up ones."""
    filled = list(names)
    for name in chain(known, map("member{}".format, count(1))):
        if len(filled) >= least:
            break
        if name not in filled:
            filled.append(name)
    return filled
