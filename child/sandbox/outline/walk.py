"""A walk through a syntax tree that tells of each node when it is entered and when it is left."""

from __future__ import annotations

from collections.abc import Iterator

from flowcage._hints import NamedTuple
from flowcage.child.sandbox.syntax_tree import Bounds, children

TYPE_CHECKING = False  # what type checkers take for True, without importing typing
if TYPE_CHECKING:
    from tree_sitter import Node

# The engine refuses sources that are nested deeper than some thousands.
MAX_DEPTH = 2_000
_STEPS_PER_CHECK = 4096


class Step(NamedTuple):
    """One node, on the way down or up.

    Attributes:
        node: that is entered or left.
        field: its name in its parent; None without one, and on the way up.
        enters: whether it is entered.
    """

    node: Node
    field: str | None
    enters: bool


def steps(top: Node, bounds: Bounds) -> Iterator[Step]:
    """`top` and the nodes below it, down to `MAX_DEPTH`, each of them twice.

    Raises:
        Interrupted: the step's time is over.
    """
    cursor = top.walk()
    path: list[Node] = []
    taken = 0
    while True:
        node = cursor.node
        assert node is not None
        taken += 1
        if taken % _STEPS_PER_CHECK == 0:
            bounds.check_time()
        yield Step(node, cursor.field_name, True)
        if len(path) < MAX_DEPTH and cursor.goto_first_child():
            path.append(node)
            continue
        yield Step(node, None, False)
        while not cursor.goto_next_sibling():
            if not path:
                return
            cursor.goto_parent()
            yield Step(path.pop(), None, False)


def nth(node: Node | None, number: int) -> Node | None:
    """A child by its number among those that are no punctuation and no comment; None where there is none."""
    for child in children(node) if node is not None else ():
        if child.is_named and child.type != "comment":
            if number == 0:
                return child
            number -= 1
    return None
