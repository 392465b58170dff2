"""Reads the members of a JSON object, and reports the first wrong one by JSON Pointer (RFC 6901)."""

from __future__ import annotations

from collections.abc import Set

from flowcage._hints import Any, TypeVar
from flowcage.protocol.errors import INVALID_PARAMS, ErrorReply
from flowcage.protocol.messages import MISSING, Missing

T = TypeVar("T")

MAX_QUOTED = 40  # characters of a refused value that a message quotes

SCHEMA_BASE = "https://flowcage.dev/schemas/1.0/"


def schema_id(name: str) -> str:
    """The absolute ``$id`` of one published schema, such as ``start.params``."""
    return f"{SCHEMA_BASE}{name}.json"


class Members:
    """A JSON object that a message is built from. Members that are not read are ignored.

    Args:
        value: any JSON value; one that is not an object is an error.
        schema: name of the published schema that describes the whole message.
        parent, steps: the object that holds `value`, and the way to it from there; nearly every message is
            right, so the JSON Pointer is put together for an error only.

    Raises:
        ErrorReply: kind ``invalid_params``, from any method, at the first member that is wrong.
    """

    def __init__(
        self, value: Any, schema: str, parent: Members | None = None, steps: tuple[str | int, ...] = ()
    ) -> None:
        self._schema = schema
        self._parent = parent
        self._steps = steps
        if not isinstance(value, dict):
            raise self.error(self.path, f"must be an object, not {_kind(value)}")
        self._members: dict[str, Any] = value

    @property
    def path(self) -> str:
        """JSON Pointer of this object inside the message."""
        above = "" if self._parent is None else self._parent.path
        return above + "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in self._steps)

    def error(self, path: str, message: str) -> ErrorReply:
        """The error to raise for the value at `path`."""
        where = path or self._schema.rpartition(".")[2]  # params or result
        return ErrorReply(
            INVALID_PARAMS,
            f"{where}: {message}",
            {"path": path, "message": message, "schema": schema_id(self._schema)},
        )

    def at(self, name: str) -> str:
        """JSON Pointer of a member."""
        return f"{self.path}/{name.replace('~', '~0').replace('/', '~1')}"

    def any(self, name: str) -> Any | Missing:
        """The member as it is, or `MISSING`."""
        return self._members.get(name, MISSING)

    def required(self, name: str) -> Any:
        """The member as it is; it must be there."""
        if name not in self._members:
            raise self.error(self.path, f"member {name!r} is required")
        return self._members[name]

    def string(self, name: str, default: str | None = None, *, minimum: int = 0) -> str:
        """A string of at least `minimum` characters; required unless it has a default."""
        if default is not None and name not in self._members:
            return default
        value = self.required(name)
        if not isinstance(value, str):
            raise self.error(self.at(name), f"must be a string, not {_kind(value)}")
        if len(value) < minimum:
            raise self.error(self.at(name), "must not be empty")
        return value

    def choice(self, name: str, allowed: tuple[T, ...], default: T | None = None) -> T:
        """One of a few strings; required unless it has a default."""
        if default is not None and name not in self._members:
            return default
        value = self.required(name)
        for option in allowed:
            if type(value) is type(option) and value == option:
                return option
        names = ", ".join(repr(option) for option in allowed)
        came = repr(value[:MAX_QUOTED]) if isinstance(value, str) else _kind(value)
        raise self.error(self.at(name), f"must be one of {names}, not {came}")

    def integer(self, name: str, minimum: int, maximum: int) -> int:
        """An integer in a closed range; JSON's true and 1.0 are none."""
        value = self.required(name)
        if type(value) is not int:
            raise self.error(self.at(name), f"must be an integer, not {_kind(value)}")
        if not minimum <= value <= maximum:
            raise self.error(self.at(name), f"must be from {minimum} to {maximum}")
        return value

    def boolean(self, name: str) -> bool:
        """A boolean, required."""
        value = self.required(name)
        if not isinstance(value, bool):
            raise self.error(self.at(name), f"must be a boolean, not {_kind(value)}")
        return value

    def flag(self, name: str) -> bool:
        """A boolean, False where it is absent."""
        return name in self and self.boolean(name)

    def array(self, name: str) -> list[Any]:
        """An array, required."""
        value = self.required(name)
        if not isinstance(value, list):
            raise self.error(self.at(name), f"must be an array, not {_kind(value)}")
        return value

    def objects(self, name: str) -> list[Members]:
        """An array of objects, required."""
        items = enumerate(self.array(name))
        return [Members(item, self._schema, self, (name, index)) for index, item in items]

    def filled_objects(self, name: str) -> list[Members]:
        """An array of objects, required; it must not be empty."""
        self._filled(self.array(name), self.at(name))
        return self.objects(name)

    def groups(self, name: str) -> list[list[Members]]:
        """An array of arrays of objects, required; none of the arrays may be empty."""
        found = []
        for index, group in enumerate(self._filled(self.array(name), self.at(name))):
            where = f"{self.at(name)}/{index}"
            if not isinstance(group, list):
                raise self.error(where, f"must be an array, not {_kind(group)}")
            items = enumerate(self._filled(group, where))
            found.append([Members(item, self._schema, self, (name, index, place)) for place, item in items])
        return found

    def _filled(self, items: list[Any], path: str) -> list[Any]:
        if not items:
            raise self.error(path, "must not be empty")
        return items

    def strings(self, name: str) -> list[str]:
        """An array of strings; empty where it is absent."""
        if name not in self._members:
            return []
        for index, item in enumerate(self.array(name)):
            if not isinstance(item, str):
                raise self.error(f"{self.at(name)}/{index}", f"must be a string, not {_kind(item)}")
        return self.array(name)

    def counts(self, name: str, maximum: int) -> list[int]:
        """An array of integers from 0 to a maximum, required and not empty."""
        items = self._filled(self.array(name), self.at(name))
        for index, item in enumerate(items):
            if type(item) is not int:
                raise self.error(f"{self.at(name)}/{index}", f"must be an integer, not {_kind(item)}")
            if not 0 <= item <= maximum:
                raise self.error(f"{self.at(name)}/{index}", f"must be from 0 to {maximum}")
        return items

    def mapping(self, name: str) -> dict[str, Any] | Missing:
        """An object as it is, or `MISSING`."""
        nested = self.object(name)
        return MISSING if nested is None else nested._members

    def texts(self, name: str) -> dict[str, str]:
        """An object of strings, required."""
        nested = self.nested(name)
        return {member: nested.string(member) for member in nested.names}

    def object(self, name: str) -> Members | None:
        """An object to read, or None where it is absent."""
        if name not in self._members:
            return None
        return Members(self._members[name], self._schema, self, (name,))

    def nested(self, name: str) -> Members:
        """An object to read, required."""
        return Members(self.required(name), self._schema, self, (name,))

    @property
    def names(self) -> Set[str]:
        """The names of all members, known or not."""
        return self._members.keys()

    def items(self) -> list[tuple[str, Any]]:
        """All members, known or not."""
        return list(self._members.items())

    def __contains__(self, name: str) -> bool:
        return name in self._members


def _kind(value: Any) -> str:
    """The JSON name of a value's type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, list) else "an object"
