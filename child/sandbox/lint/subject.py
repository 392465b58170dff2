"""What rules get of a source, and what they tell."""

from flowcage._hints import Any, NamedTuple
from flowcage.child.sandbox.reading.calls import Calls
from flowcage.child.sandbox.reading.literals import Literals
from flowcage.child.sandbox.reading.reach import Reach
from flowcage.child.sandbox.reading.scopes import Scopes
from flowcage.child.sandbox.reading.syntax import SourceTree, Syntax
from flowcage.protocol.sources.findings import Severity

_MAX_SHOWN = 40


class Found(NamedTuple):
    """What a rule has found at a node; `severity` is that of the rule where it is None."""

    kind: str
    node: Syntax
    message: str
    hint: str = ""
    severity: Severity | None = None


class Subject:
    """A source that compiles.

    Attributes:
        tree, scopes, calls, literals, reach: what was read of it.
        dialect: ``module`` or ``script``.
        meta_statement: the statement that exports `meta`, None without one.
        meta: the value of its ``meta``, None without one.
        beside: the texts of the modules that it imports, one after the other.
    """

    def __init__(self, tree: SourceTree, dialect: str, meta: Any, beside: bytes = b"") -> None:
        self.tree, self.dialect, self.meta, self.beside = tree, dialect, meta, beside
        self.scopes = Scopes(tree)
        self.calls = Calls(tree, self.scopes)
        self.literals = Literals(tree, self.scopes)
        self.meta_statement = next(filter(self._is_meta, tree.root.children), None)
        self.reach = Reach(tree, self.scopes, self.calls)

    @property
    def meta_node(self) -> Syntax | None:
        """The value of ``export const meta``."""
        declarator = self._is_meta(self.meta_statement) if self.meta_statement is not None else None
        return declarator["value"] if declarator is not None else None

    def _is_meta(self, statement: Syntax) -> Syntax | None:
        """The declarator of `meta` in a statement that exports it."""
        declaration = statement["declaration"] if statement.type == "export_statement" else None
        for each in declaration.children if declaration is not None else ():
            name = each["name"] if each.type == "variable_declarator" else None
            if name is not None and self.tree.text(name) == "meta":
                return each
        return None

    def shown(self, node: Syntax) -> str:
        """The text of a node on one line, cut for a message."""
        text = " ".join(self.tree.text(node).split())
        return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"

    def failure_at(self, node: Syntax) -> Severity:
        """The severity of what throws at a node: an error where every run gets there."""
        return "error" if self.reach.is_sure(node) else "warning"

    def rejection_at(self, call: Syntax) -> Severity:
        """The severity of a call whose promise rejects: an error where every run is told of it."""
        return self.failure_at(call) if self.reach.is_awaited(call) else "warning"
