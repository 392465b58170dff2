"""Awaits that the grammar reads as a name: ``await (f)()``, ``await [p][0]``, ``await `t` ``.

In a workflow `await` is an operator wherever it stands before an operand (ECMA-262, 15.8), and the engine has
compiled it as one. The grammar reads it as the function of a call, or as the object of a subscript.
"""

from __future__ import annotations

from collections.abc import Iterable

TYPE_CHECKING = False  # what type checkers take for True, without importing typing
if TYPE_CHECKING:
    from flowcage.child.sandbox.reading.syntax import Syntax

_INNER_FIELDS = frozenset({"function", "object"})


def with_awaits(root: Syntax, names: Iterable[Syntax]) -> list[Syntax]:
    """Make awaits of those names, and return the nodes of the tree in the order of the text.

    Args:
        root: the tree, which is changed.
        names: the identifiers whose text is ``await``.
    """
    for name in names:
        if name.field in _INNER_FIELDS:
            _mend(name)
    return list(root.inside())


def _mend(name: Syntax) -> None:
    called = name.parent
    assert called is not None
    outermost = called
    while outermost.field in _INNER_FIELDS and outermost.parent is not None:
        outermost = outermost.parent
    _become_operand(called)
    _wrap(outermost, name)


def _become_operand(called: Syntax) -> None:
    """Make what was taken for a call of `await` the operand that it has, where that begins."""
    operand = called["arguments"] or called["index"]
    if operand is None:
        return
    if called.type == "subscript_expression":
        called.type = "array"
        items = operand.children if operand.type == "sequence_expression" else [operand]
    else:
        called.type = "parenthesized_expression" if operand.type == "arguments" else operand.type
        called.start = operand.start
        items = operand.children
    for item in items:
        item.parent, item.field = called, None
    called.children = items


def _wrap(operand: Syntax, name: Syntax) -> None:
    """Put an await around its whole operand; `name` becomes the keyword."""
    step = operand
    while step.start == name.start and step is not name:
        step.start = name.end
        step = step.children[0] if step.children else name
    operand.hold_itself("await_expression")
    operand.start = name.start
    name.type, name.field, name.parent = "await", None, operand
    operand.children.insert(0, name)
