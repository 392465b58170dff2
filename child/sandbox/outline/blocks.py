"""What a call stands in: loops, branches, functions, and what runs at once."""

from __future__ import annotations

from flowcage._hints import Any, NamedTuple
from flowcage.child.sandbox.outline.names import FUNCTIONS, Names
from flowcage.child.sandbox.outline.values import Values
from flowcage.child.sandbox.outline.walk import nth
from flowcage.child.sandbox.syntax_tree import children

TYPE_CHECKING = False  # what type checkers take for True, without importing typing
if TYPE_CHECKING:
    from tree_sitter import Node

LOOPS = frozenset({"for_statement", "for_in_statement", "while_statement", "do_statement"})
# Methods that call a function for each item, and ``Array.from``.
_EACH = frozenset(
    {"map", "forEach", "flatMap", "filter", "some", "every", "find", "findIndex", "reduce", "reduceRight"}
)
_AT_ONCE = ("Promise.all", "Promise.allSettled", "Promise.race", "Promise.any")
_ARMS = {"&&": "then", "||": "else", "??": "else"}


class Key(NamedTuple):
    """Which block it is: parts of one statement, such as a loop's condition and body, have one key."""

    kind: str
    start: int
    arm: str = ""


class Opening(NamedTuple):
    """A block that a node is in and its parent is not.

    Attributes:
        key: which one.
        node: where it is.
        members: of its JSON, beside kind and place.
    """

    key: Key
    node: Node
    members: dict[str, Any]


class Blocks:
    """Tells which blocks begin with a node.

    Args:
        names, values: of the source.
    """

    def __init__(self, names: Names, values: Values) -> None:
        self._names = names
        self._values = values

    def opened(self, node: Node, field: str | None, path: list[Node]) -> list[Opening]:
        """The blocks that begin with a node, from the outermost on.

        Args:
            node: it.
            field: its name in its parent.
            path: the nodes above it.
        """
        if not path:
            return []
        parent = path[-1]
        if node.type in FUNCTIONS and (name := self._names.functions.get(node.start_byte)):
            return [Opening(Key("function", node.start_byte), node, {"name": name[:100]})]
        if parent.type == "arguments" and len(path) > 1 and node.is_named:
            return self._in_call(node, path[-2])
        found = self._loop(parent, field) if parent.type in LOOPS else self._branch(parent, field, path)
        return [] if found is None else [found]

    def global_called(self, call: Node) -> str:
        """Which global of the workflow a call calls; "" for none."""
        function = call.child_by_field_name("function")
        if function is None:
            return ""
        if function.type == "identifier":
            return self._names.globals.get(self._values.text(function), "")
        owner, method = function.child_by_field_name("object"), function.child_by_field_name("property")
        if owner is None or method is None:
            return ""
        name, of = self._values.text(method), self._values.text(owner)
        root, _, rest = of.partition(".")
        if root == "SW" or root in self._names.owners:
            return name if name in _MEMBERS.get(rest, _MEMBERS[""]) else ""
        return ""

    def depends(self, node: Node | None) -> bool:
        """Whether a short expression depends on an answer, by the names in it."""
        left = [] if node is None else [node]
        for _ in range(_MAX_NODES):
            if not left:
                return False
            node = left.pop()
            if node.type in ("identifier", "shorthand_property_identifier"):
                if self._values.text(node) in self._names.dependent:
                    return True
            elif node.type not in FUNCTIONS:
                left.extend(children(node))
        return True

    def _in_call(self, node: Node, call: Node) -> list[Opening]:
        called = self.global_called(call)
        function = call.child_by_field_name("function")
        text = "" if function is None else self._values.shown(function)
        if called == "parallel" or text in _AT_ONCE:
            name = {} if called else {"name": text}
            return [Opening(Key("parallel", call.start_byte), call, name | self._count_of(node))]
        number = _number_of(node)
        if called == "pipeline":
            return self._stage(node, call, number) if number else []
        method = None if function is None else function.child_by_field_name("property")
        over = None if function is None else function.child_by_field_name("object")
        if text == "Array.from" and number == 1:
            over = call.child_by_field_name("arguments")
            return [self._each(call, nth(over, 0), call)]
        if method is not None and self._values.text(method) in _EACH and number == 0:
            return [self._each(call, over, over)]
        return []

    def _stage(self, node: Node, call: Node, number: int) -> list[Opening]:
        given = call.child_by_field_name("arguments")
        items = nth(given, 0)
        whole = Opening(Key("pipeline", call.start_byte), call, self._over(items, items))
        return [whole, Opening(Key("stage", node.start_byte), node, {"stage": number})]

    def _each(self, call: Node, over: Node | None, counted: Node | None) -> Opening:
        return Opening(Key("each", call.start_byte), call, self._over(over, counted))

    def _over(self, items: Node | None, counted: Node | None) -> dict[str, Any]:
        if items is None:
            return {}
        members = {"text": self._values.shown(items)} | self._count_of(counted)
        if "count" not in members and self.depends(items):
            members["depends"] = True
        return members

    def _count_of(self, node: Node | None) -> dict[str, Any]:
        count = None if node is None else self._values.count(node)
        return {} if count is None else {"count": count}

    def _loop(self, loop: Node, field: str | None) -> Opening | None:
        if field not in ("body", "condition", "increment"):
            return None
        members: dict[str, Any] = {}
        if loop.type == "for_in_statement":
            left, right = loop.child_by_field_name("left"), loop.child_by_field_name("right")
            members = self._over(right, right)
            if left is not None and right is not None:
                members["text"] = f"{self._values.shown(left)} of {members['text']}"
        else:
            members = self._condition(loop)
        return Opening(Key("loop", loop.start_byte), loop, members)

    def _condition(self, loop: Node) -> dict[str, Any]:
        condition = _bare(loop.child_by_field_name("condition"))
        members: dict[str, Any] = {} if condition is None else {"text": self._values.shown(condition)}
        count = self._rounds(loop, condition)
        # What is counted in the loop may count answers, which no name shows.
        return members | ({"depends": True} if count is None else {"count": count})

    def _rounds(self, loop: Node, condition: Node | None) -> int | None:
        """How often ``for (let i = 1; i <= 3; i++)`` goes round."""
        first = loop.child_by_field_name("initializer")
        declarator = nth(first, 0)
        start = None if declarator is None else declarator.child_by_field_name("value")
        step = loop.child_by_field_name("increment")
        operator = None if condition is None else condition.child_by_field_name("operator")
        limit = None if condition is None else condition.child_by_field_name("right")
        if start is None or step is None or operator is None or limit is None:
            return None
        low, high = self._values.number(start), self._values.number(limit)
        if low is None or high is None or "++" not in self._values.text(step):
            return None
        more = {"<": 0, "<=": 1}.get(operator.type)
        return None if more is None else max(0, high - low + more)

    def _branch(self, parent: Node, field: str | None, path: list[Node]) -> Opening | None:
        kind = parent.type
        if kind in ("if_statement", "ternary_expression") and field in ("consequence", "alternative"):
            condition = parent.child_by_field_name("condition")
            return self._arm(parent, condition, "then" if field == "consequence" else "else")
        if kind == "binary_expression" and field == "right":
            operator = parent.child_by_field_name("operator")
            arm = _ARMS.get("" if operator is None else operator.type)
            return self._arm(parent, parent.child_by_field_name("left"), arm) if arm else None
        if kind in ("switch_case", "switch_default") and field == "body" and len(path) > 2:
            return self._case(parent, path[-3])
        if kind == "catch_clause" and field == "body":
            return Opening(Key("branch", parent.start_byte, "catch"), parent, {"arm": "catch"})
        return None

    def _arm(self, statement: Node, condition: Node | None, arm: str) -> Opening:
        members: dict[str, Any] = {"arm": arm}
        condition = _bare(condition)
        if condition is not None:
            members["text"] = self._values.shown(condition)
            if self.depends(condition):
                members["depends"] = True
        return Opening(Key("branch", statement.start_byte, arm), statement, members)

    def _case(self, case: Node, switch: Node) -> Opening:
        value, label = switch.child_by_field_name("value"), case.child_by_field_name("value")
        opening = self._arm(switch, value, "default" if label is None else self._values.shown(label))
        return opening._replace(key=Key("branch", case.start_byte, "case"))


# Of a condition that are looked at; a longer one counts as dependent.
_MAX_NODES = 500
_MEMBERS = {
    "": ("agent", "workflow", "parallel", "pipeline", "phase", "sleep", "ask", "exec"),
    "extra": ("sleep", "ask"),
    "sandbox": ("exec",),
}
_MAX_ARGUMENTS = 100


def _bare(node: Node | None) -> Node | None:
    """What is in the parentheses of a condition."""
    while node is not None and node.type in ("parenthesized_expression", "expression_statement"):
        node = nth(node, 0)
    return node


def _number_of(argument: Node) -> int:
    """Which argument of its call it is, from 0."""
    number = 0
    before = argument.prev_named_sibling
    while before is not None and number < _MAX_ARGUMENTS:
        number += before.type != "comment"
        before = before.prev_named_sibling
    return number
