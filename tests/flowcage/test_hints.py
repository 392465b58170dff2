"""The named tuples of the protocol behave as those of typing."""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import typing
from collections.abc import Callable
from typing import Any

import pytest

from flowcage._child_command import child_command
from flowcage._hints import NamedTuple
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import Start


class Ours(NamedTuple):
    """A class."""

    first: int
    second: str | None = "b"
    third: tuple[int, ...] = ()

    def doubled(self) -> int:
        return self.first * 2


class Theirs(typing.NamedTuple):
    """A class."""

    first: int
    second: str | None = "b"
    third: tuple[int, ...] = ()

    def doubled(self) -> int:
        return self.first * 2


class Empty(NamedTuple):
    pass


USES: dict[str, Callable[[Any], object]] = {
    "positional": lambda kind: kind(1, "x", (2,)),
    "by name": lambda kind: kind(first=1, third=(3,)),
    "attributes": lambda kind: (kind(1).first, kind(1).second, kind(1).third),
    "method": lambda kind: kind(4).doubled(),
    "equal to a tuple, and its hash": lambda kind: (kind(1) == (1, "b", ()), hash(kind(1))),
    "repr": lambda kind: repr(kind(1)).partition("(")[2],
    "as a dict": lambda kind: kind(1)._asdict(),
    "made from values": lambda kind: kind._make([1, None, ()]),
    "replaced": lambda kind: kind(1)._replace(second=None),
    "fields": lambda kind: (kind._fields, kind._field_defaults, kind.__match_args__),
    "annotations": lambda kind: typing.get_type_hints(kind),
    "documentation": lambda kind: kind.__doc__,
    "signature": lambda kind: [*inspect.signature(kind).parameters],
    "copied": lambda kind: copy.deepcopy(kind(1, "x", (2,))),
    "pickled": lambda kind: pickle.loads(pickle.dumps(kind(1, "x", (2,)))) == kind(1, "x", (2,)),
    "no other attributes": lambda kind: hasattr(kind(1), "__dict__"),
}
MISUSES: dict[str, Callable[[Any], object]] = {
    "too few": lambda kind: kind(),
    "too many": lambda kind: kind(1, 2, 3, 4),
    "an unknown name": lambda kind: kind(1, fourth=1),
    "twice": lambda kind: kind(1, first=1),
    "replaced by an unknown name": lambda kind: kind(1)._replace(fourth=1),
    "made from too few": lambda kind: kind._make([]),
    "set": lambda kind: setattr(kind(1), "first", 2),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_it_does_what_a_named_tuple_of_typing_does(use: Callable[[Any], object]) -> None:
    assert use(Ours) == use(Theirs)


@pytest.mark.parametrize("misuse", MISUSES.values(), ids=MISUSES)
def test_it_refuses_what_a_named_tuple_of_typing_refuses(misuse: Callable[[Any], object]) -> None:
    with pytest.raises((TypeError, ValueError, AttributeError)) as ours:
        misuse(Ours)
    with pytest.raises((TypeError, ValueError, AttributeError)):
        misuse(Theirs)
    assert "lambda" not in str(ours.value)


def test_its_fields_can_be_matched_by_place() -> None:
    match Ours(1, "x"):
        case Ours(first, second, ()):
            assert (first, second) == (1, "x")


def test_one_without_fields_is_an_empty_tuple() -> None:
    assert Empty() == ()
    assert Empty._fields == ()


def test_classes_with_as_many_fields_do_not_share_their_names() -> None:
    class Other(NamedTuple):
        a: int
        b: int = 2
        c: int = 3

    assert Other(a=1) == (1, 2, 3)
    assert Ours(first=5) == (5, "b", ())


def test_the_messages_are_of_this_kind() -> None:
    assert Start.__mro__[1:] == Limits.__mro__[1:] == Ours.__mro__[1:]


def test_a_child_starts_without_typing() -> None:
    command = child_command("flowcage.child", "flowcage.child.__main__")
    program = command[-1].partition("from flowcage")[0] + (
        "import sys, flowcage.child.session, flowcage.child.cage.lockdown, flowcage.child.zygote\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([*command[:-1], program], capture_output=True, text=True, check=True, cwd="/")
    assert "flowcage.child.sandbox.grammar" in done.stdout.split()
    assert {"typing", "tree_sitter"}.isdisjoint(done.stdout.split())
