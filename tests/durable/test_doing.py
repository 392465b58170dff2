"""Which writes of a commit are done together, and in which order, as a table."""

from __future__ import annotations

from typing import Any

import pytest

from flowcage.host.durable.sql.committing.doing import do
from flowcage.host.durable.sql.database import Scope
from flowcage.host.durable.sql.write import Write


class _Noted(Write[None]):
    """`a1` is about the run `a`; `*` about none. Writes its group down."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.about = None if name == "*" else (name[0], 1)

    @classmethod
    def run_all(cls, scope: Scope, writes: Any) -> None:
        scope.told.add(f"{len(scope.told)} {cls.__name__} " + " ".join(write.name for write in writes))


class Append(_Noted): ...


class Leave(_Noted): ...


class Take(_Noted): ...


class _Database:
    """Begins and locks nothing."""

    def begin(self, _db: object) -> None: ...

    def hold_runs(self, _run_ids: object) -> None: ...


@pytest.mark.parametrize(
    ("batch", "groups"),
    [
        ("", []),
        ("A:a L:a", ["Append a", "Leave a"]),
        ("A:a L:a A:b L:b A:c", ["Append a b c", "Leave a b"]),
        ("A:a L:a A:a", ["Append a", "Leave a", "Append a"]),
        ("L:a A:a L:b A:b", ["Leave a b", "Append a b"]),
        ("A:a L:a L:b A:b A:c", ["Append a c", "Leave a b", "Append b"]),
        ("A:a T:* A:b T:* L:b", ["Append a", "Take *", "Append b", "Take *", "Leave b"]),
        ("A:a T:* T:* A:b A:a", ["Append a", "Take * *", "Append b a"]),
    ],
)
def test_writes_of_one_type_are_done_together(batch: str, groups: list[str]) -> None:
    types: dict[str, type[_Noted]] = {"A": Append, "L": Leave, "T": Take}
    database: Any = _Database()
    scope = Scope(database, 0, "me", lambda _owner: True, database)
    do(database, scope, [types[each[0]](each[2:]) for each in batch.split()])
    assert [each.partition(" ")[2] for each in sorted(scope.told)] == groups
