"""The names of `typing` that the protocol and the child use, without what makes `typing` slow to load.

To import `typing` takes a child 2 to 4 ms of its start. A child has no use for annotations, so objects that
stand for these names are enough for it. Where `typing` is loaded already, as in every host, they are its own;
so `typing.get_type_hints` finds what was written.

`NamedTuple` is ours everywhere. `typing` writes and compiles a constructor for each class, and the protocol
has forty: here all classes with the same number of fields share the constructor's code, and only the names in
it differ. The classes behave as `collections.namedtuple` documents; type checkers take them for
`typing.NamedTuple`. It is a base that stays out of the bases of the class, as that of `typing` does.
"""

from __future__ import annotations

import sys
from functools import cache

TYPE_CHECKING = False  # what type checkers take for True, without importing typing

if TYPE_CHECKING or "typing" in sys.modules:
    from typing import Any, Literal, NoReturn, Protocol, Self, TypeAlias, TypeVar, assert_never
else:
    Any = NoReturn = Protocol = Self = TypeAlias = object

    class Literal:
        """Stands for a literal type."""

        def __class_getitem__(cls, _values: object) -> type:
            return object

    def TypeVar(_name: str) -> type:
        """Stand for a type variable."""
        return object

    def assert_never(value: object) -> object:
        """Raise AssertionError: a type checker has proved that this is not reached."""
        raise AssertionError(f"expected code to be unreachable, but got: {value!r}")


if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType
    from typing import NamedTuple
else:
    from _collections import _tuplegetter
    from types import FunctionType

    @cache
    def _constructor(count: int) -> CodeType:
        words = "".join(f", _{number}" for number in range(count))
        return eval(f"lambda _class{words}: _new(_class, ({words[2:]}{',' * (count > 0)}))").__code__

    class _Fields(tuple):
        """What every named tuple has."""

        __slots__ = ()
        _fields = ()
        _field_defaults = {}  # noqa: RUF012

        @classmethod
        def _make(cls, values: Iterable[Any]) -> Self:
            return cls(*values)

        def _replace(self, /, **changed: Any) -> Self:
            values = [changed.pop(name, value) for name, value in zip(self._fields, self, strict=True)]
            if changed:
                raise TypeError(f"Got unexpected field names: {list(changed)!r}")
            return type(self)(*values)

        __replace__ = _replace

        def _asdict(self) -> dict[str, Any]:
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self) -> str:
            fields = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
            return f"{type(self).__name__}({fields})"

        def __getnewargs__(self) -> tuple[Any, ...]:
            return tuple(self)

    class _Meta(type):
        def __new__(_meta, name: str, _bases: tuple[type, ...], members: dict[str, Any]) -> type:
            fields = tuple(members.get("__annotations__", ()))
            defaults = {field: members[field] for field in fields if field in members}
            code = _constructor(len(fields)).replace(
                co_varnames=("_class", *fields), co_name="__new__", co_qualname=f"{name}.__new__"
            )
            constructor = FunctionType(code, {"_new": tuple.__new__, "__name__": members["__module__"]})
            constructor.__defaults__ = tuple(defaults.values())
            members |= {field: _tuplegetter(number, None) for number, field in enumerate(fields)}
            members |= {
                "__new__": constructor,
                "__slots__": (),
                "__match_args__": fields,
                "_fields": fields,
                "_field_defaults": defaults,
            }
            return type(name, (_Fields,), members)

    class _Base:
        def __mro_entries__(self, _bases: tuple[object, ...]) -> tuple[type, ...]:
            return (_MARK,)

    _MARK = type.__new__(_Meta, "NamedTuple", (), {})
    NamedTuple = _Base()


__all__ = [
    "Any",
    "Literal",
    "NamedTuple",
    "NoReturn",
    "Protocol",
    "Self",
    "TypeAlias",
    "TypeVar",
    "assert_never",
]
