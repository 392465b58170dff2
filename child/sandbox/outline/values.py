"""What expressions of a workflow's source come to, as far as it can be read without running it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flowcage.child.sandbox.outline.walk import nth
from flowcage.child.sandbox.syntax_tree import children, text_of

TYPE_CHECKING = False  # what type checkers take for True, without importing typing
if TYPE_CHECKING:
    from tree_sitter import Node

# Stands in a pattern for what is known at run time only.
UNKNOWN = "${…}"
MAX_TEXT = 200
MAX_SHOWN = 80
# Levels of names, sums and parentheses that are followed.
_MAX_LEVELS = 20
# Nodes that are looked at in all: names that name sums of names would take for ever.
_MAX_STEPS = 200_000
_NOTHING = ("null", "undefined")
_PLAIN = frozenset({"n", "r", "t", "b", "f", "v", "0"})


class Values:
    """Reads expressions of one source.

    Args:
        source: its text.
        constants: the initializers of its `const` declarations, by name.
    """

    def __init__(self, source: bytes, constants: Mapping[str, Node]) -> None:
        self._source = source
        self._constants = constants
        self._left = _MAX_STEPS

    def text(self, node: Node) -> str:
        """The text of a node, whole."""
        return text_of(self._source, node)

    def shown(self, node: Node) -> str:
        """The text of a node for people: in one line, and not long."""
        whole = self._source[node.start_byte : min(node.end_byte, node.start_byte + 8 * MAX_SHOWN)]
        line = " ".join(whole.decode("utf-8", "replace").split())
        return line if len(line) <= MAX_SHOWN else f"{line[:MAX_SHOWN]}…"

    def pattern(self, node: Node) -> str | None:
        """A text with `UNKNOWN` for each part that is not known; None for null and undefined."""
        node = self._resolved(node)
        if node.type in _NOTHING or self._is(node, "undefined"):
            return None
        found = self._pattern(node, _MAX_LEVELS)
        return found if len(found) <= MAX_TEXT else f"{found[:MAX_TEXT]}…"

    def _pattern(self, node: Node, levels: int) -> str:
        node = self._resolved(node)
        if levels == 0 or not self._left:
            return UNKNOWN
        self._left -= 1
        if node.type in ("string", "template_string"):
            return self._fragments(node, levels)
        if node.type in ("number", "true", "false"):
            return self.text(node)
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None or right is None or not self._is_text(node, levels):
            return UNKNOWN
        sides = self._pattern(left, levels - 1) + self._pattern(right, levels - 1)
        return sides.replace(UNKNOWN + UNKNOWN, UNKNOWN)

    def _is_text(self, node: Node, levels: int) -> bool:
        """Whether an expression is a text for sure; ``index + 1`` is a number."""
        for _ in range(levels):
            node = self._resolved(node)
            if node.type in ("string", "template_string"):
                return True
            left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
            if left is None or right is None or self._operator(node) != "+":
                return False
            if self._resolved(right).type in ("string", "template_string"):
                return True
            node = left
        return False

    def _fragments(self, node: Node, levels: int) -> str:
        """The text of a string, or of a template, up to the length that is of use."""
        found, size = [], 0
        for part in self._children(node):
            if size > MAX_TEXT:
                break
            found.append(self._fragment(part, levels))
            size += len(found[-1])
        return "".join(found)

    def _fragment(self, part: Node, levels: int) -> str:
        if part.type == "string_fragment":
            return self.text(part)
        if part.type == "escape_sequence":
            letter = self.text(part)[1:2]
            if letter in "ux":
                return UNKNOWN
            return " " if letter in _PLAIN or not letter.strip() else letter
        inner = nth(part, 0) if part.type == "template_substitution" else None
        return "" if inner is None else self._pattern(inner, levels - 1)

    def _resolved(self, node: Node) -> Node:
        """What stands for a node: what is in its parentheses, or the initializer of its name."""
        for _ in range(_MAX_LEVELS):
            inner: Node | None = None
            if node.type == "parenthesized_expression":
                inner = nth(node, 0)
            elif node.type == "identifier":
                inner = self._constants.get(self.text(node))
            elif node.type == "member_expression":
                inner = self._member(node)
            elif node.type == "call_expression":
                inner = self._frozen(node)
            if inner is None:
                return node
            node = inner
        return node

    def _member(self, node: Node) -> Node | None:
        """``NAMES.member`` of a constant object."""
        owner, name = node.child_by_field_name("object"), node.child_by_field_name("property")
        if owner is None or name is None or owner.type != "identifier":
            return None
        found = self._constants.get(self.text(owner))
        return None if found is None else self.members(found).get(self.text(name))

    def _frozen(self, node: Node) -> Node | None:
        """What is in ``Object.freeze(…)``."""
        function, given = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        if function is None or given is None or self.text(function) != "Object.freeze":
            return None
        return nth(given, 0)

    def members(self, node: Node, levels: int = 4) -> dict[str, Node]:
        """The members of an object literal, and of those that it spreads; nothing of anything else."""
        node = self._resolved(node)
        found: dict[str, Node] = {}
        if node.type != "object" or levels == 0:
            return found
        for member in self._children(node):
            if member.type == "pair":
                key, value = member.child_by_field_name("key"), member.child_by_field_name("value")
                if key is not None and value is not None:
                    found[self.text(key).strip("'\"")] = value
            elif member.type == "shorthand_property_identifier":
                found[self.text(member)] = self._constants.get(self.text(member), member)
            elif member.type == "spread_element" and (spread := nth(member, 0)) is not None:
                found |= self.members(spread, levels - 1)
        return found

    def is_known(self, node: Node) -> bool:
        """Whether `members` has all that an expression comes to."""
        node = self._resolved(node)
        spreads = (nth(each, 0) for each in self._children(node) if each.type == "spread_element")
        is_whole = all(each is not None and self._resolved(each).type == "object" for each in spreads)
        return node.type in ("object", "null", "undefined") and is_whole

    def count(self, node: Node) -> int | None:
        """How many items an array has; None where that is not known."""
        node = self._resolved(node)
        if node.type == "array":
            return self._items(node)
        function, given = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        first = nth(given, 0)
        if function is None or first is None:
            return None
        called = self.text(function)
        if called in ("Object.keys", "Object.values", "Object.entries"):
            return len(self.members(first)) or None
        if called == "Array.from":
            length = self.members(first).get("length")
            return self.count(first) if length is None else self.number(length)
        return None

    def _items(self, array: Node) -> int | None:
        found = 0
        for item in self._children(array):
            if item.type == "spread_element":
                return None
            found += item.is_named and item.type != "comment"
        return found if self._left else None

    def _children(self, node: Node) -> Iterator[Node]:
        for child in children(node):
            if not self._left:
                return
            self._left -= 1
            yield child

    def number(self, node: Node) -> int | None:
        """A whole number that the source has; ``NAMES.length`` of a constant array is one, too."""
        if node.type == "member_expression":
            owner, name = node.child_by_field_name("object"), node.child_by_field_name("property")
            if owner is not None and name is not None and self.text(name) == "length":
                return self.count(owner)
        text = self.text(self._resolved(node)).replace("_", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None

    def _operator(self, node: Node) -> str:
        operator = node.child_by_field_name("operator")
        return "" if operator is None else operator.type

    def _is(self, node: Node, name: str) -> bool:
        return node.type == "identifier" and self.text(node) == name
