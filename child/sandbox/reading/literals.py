"""The values of literals, also by the names of constants that stand for them."""

from __future__ import annotations

from flowcage._hints import Any
from flowcage.child.sandbox.reading.scopes import Scopes
from flowcage.child.sandbox.reading.syntax import SourceTree, Syntax, bare

_MOST_NAMES = 10  # that lead from one constant to the next
_WORDS = {"true": True, "false": False, "null": None}


class Unknown:
    """The type of `UNKNOWN`: a value, or a part of one, that is computed."""


UNKNOWN = Unknown()


class Literals:
    """Reads the literals of one source."""

    def __init__(self, tree: SourceTree, scopes: Scopes) -> None:
        self._tree, self._scopes = tree, scopes

    def resolved(self, node: Syntax | None) -> Syntax | None:
        """An expression without parentheses, and in place of a constant's name what it stands for."""
        node = bare(node)
        for _ in range(_MOST_NAMES):
            if node is None or node.type not in ("identifier", "shorthand_property_identifier"):
                return node
            binding = self._scopes.of(node)
            if binding is None or binding.value is None or _is_filled_later(binding.uses):
                return None
            node = bare(binding.value)
        return None

    def members(self, node: Syntax | None) -> tuple[dict[str, tuple[Syntax, Syntax]], bool]:
        """The members of an object literal: key and value by name; and whether these are all.

        For what is no object literal: none, and not all.
        """
        node = self.resolved(node)
        if node is None or node.type != "object":
            return {}, False
        found: dict[str, tuple[Syntax, Syntax]] = {}
        is_all = True
        for each in node.children:
            key, value = each["key"], each["value"]
            if each.type == "shorthand_property_identifier":
                found[self._tree.text(each)] = (each, each)
            elif each.type == "pair" and key and value and (name := self.key(key)) is not None:
                found[name] = (key, value)
            elif each.type == "method_definition" and (named := each["name"]) is not None:
                found[self._tree.text(named)] = (named, each)
            else:  # spread, or a computed name
                is_all = False
        return found, is_all

    def member(self, node: Syntax | None, name: str) -> Syntax | None:
        """The value of one member of an object literal, resolved."""
        members, _ = self.members(node)
        if name not in members:
            return None
        return self.resolved(members[name][1])

    def items(self, node: Syntax | None) -> list[Syntax] | None:
        """The items of an array literal; None for what is none, or has a spread."""
        node = self.resolved(node)
        if (
            node is None
            or node.type != "array"
            or any(each.type == "spread_element" for each in node.children)
        ):
            return None
        return node.children

    def value(self, node: Syntax | None) -> Any:
        """The value of a string, number, boolean, null, or an array of these; else `UNKNOWN`."""
        node = self.resolved(node)
        if node is None:
            return UNKNOWN
        if (text := self._tree.string(node)) is not None:
            return text
        if node.type in _WORDS:
            return _WORDS[node.type]
        if node.type == "array":
            items = self.items(node)
            return UNKNOWN if items is None else [self.value(item) for item in items]
        return self._number(node)

    def key(self, key: Syntax) -> str | None:
        """The name of a member; None where it is computed."""
        if key.type == "property_identifier":
            return self._tree.text(key)
        return self._tree.string(key)

    def _number(self, node: Syntax) -> Any:
        text = "".join(self._tree.text(node).split()).replace("_", "")
        is_number = node.type == "number" or (node.type == "unary_expression" and node.has("-"))
        try:
            return float(text) if is_number and len(text) < 40 else UNKNOWN
        except ValueError:
            return UNKNOWN


def _is_filled_later(uses: list[Syntax]) -> bool:
    """Whether a member of the object or array may be set after it was made."""
    for use in uses:
        parent = use.parent
        if parent is None or use.field != "object":
            continue
        if parent.field in ("left", "argument") and parent.type in (
            "member_expression",
            "subscript_expression",
        ):
            return True
        if parent.field == "function":  # SCHEMA.required.push(…) is not seen, names.push(…) is
            return True
    return False
