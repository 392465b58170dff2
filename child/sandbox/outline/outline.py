"""The outline of a workflow: its calls with their places, and what each of them stands in."""

from __future__ import annotations

from flowcage._hints import Any
from flowcage.child.sandbox import source as positions
from flowcage.child.sandbox.outline.blocks import LOOPS, Blocks, Key, Opening
from flowcage.child.sandbox.outline.names import FUNCTIONS, Names, names_of
from flowcage.child.sandbox.outline.values import UNKNOWN, Values
from flowcage.child.sandbox.outline.walk import MAX_DEPTH, nth, steps
from flowcage.child.sandbox.syntax_tree import Bounds

TYPE_CHECKING = False  # what type checkers take for True, without importing typing
if TYPE_CHECKING:
    from tree_sitter import Node

# Dense code of this size takes more than a second.
MAX_BYTES = 256 * 1024
MAX_CALLS = 500
MAX_BLOCKS = 1_000
MAX_PHASES = 200
MAX_WITHIN = 30
_KINDS = ("agent", "workflow", "ask", "sleep", "exec")
_OPTIONS = ("label", "phase", "model", "provider", "agentType", "effort", "isolation")


def outline_of(source: bytes, root: Node, bounds: Bounds, meta: Any = None) -> dict[str, Any]:
    """What a workflow asks for and where, as JSON; docs/protocol.md has its members.

    Args:
        source: the text.
        root: of its syntax tree.
        bounds: what reading it may cost.
        meta: the value of its `meta`, whose phases are declared.

    Raises:
        Interrupted: the step's time is over.
    """
    if len(source) > MAX_BYTES:
        return {"calls": [], "blocks": [], "phases": _declared(meta), "truncated": True}
    names = names_of(source, root, bounds)
    reader = _Reader(source, names, meta)
    for step in steps(root, bounds):
        if step.enters:
            reader.enter(step.node, step.field)
        else:
            reader.leave()
    return reader.outline()


class _Level:
    """A node on the way from the root: the blocks that begin with it, and the phase around it."""

    __slots__ = ("count", "node", "outer", "phase")

    def __init__(self, node: Node, count: int, outer: list[Opening] | None, phase: str | None) -> None:
        self.node = node
        self.count = count
        self.outer = outer
        self.phase = phase


class _Reader:
    def __init__(self, source: bytes, names: Names, meta: Any) -> None:
        self._source = source
        self._names = names
        self._values = Values(source, names.constants)
        self._blocks = Blocks(names, self._values)
        self._own = frozenset(names.functions.values())
        self._path: list[Node] = []
        self._levels: list[_Level] = []
        self._within: list[Opening] = []
        self._phase: str | None = None
        self._ids: dict[Key, int] = {}
        self._found: list[dict[str, Any]] = []
        self._calls: list[dict[str, Any]] = []
        self._phases = _declared(meta)
        self._is_cut = False

    def enter(self, node: Node, field: str | None) -> None:
        """Take a node on the way down."""
        opened = self._blocks.opened(node, field, self._path)
        outer, phase = None, self._phase
        if opened and opened[0].key.kind == "function":  # it runs where it is called
            outer, self._within, self._phase = self._within, [], None
        self._within.extend(opened)
        self._levels.append(_Level(node, len(opened), outer, phase))
        self._path.append(node)
        self._is_cut = self._is_cut or len(self._path) > MAX_DEPTH
        if node.type == "call_expression":
            self._call(node)
        elif node.type == "identifier":
            self._use(node, field)
        elif node.type in ("break_statement", "return_statement"):
            self._leave_loop(node.type)

    def leave(self) -> None:
        """Take the node that was entered last and not left yet, on the way up."""
        level = self._levels.pop()
        self._path.pop()
        if level.outer is not None:
            self._within, self._phase = level.outer, level.phase
        elif level.count:
            del self._within[-level.count :]

    def outline(self) -> dict[str, Any]:
        """What was found, without blocks that no call is in."""
        calls = _without_others(self._calls, self._found)
        used = sorted({block for call in calls for block in call["within"]})
        numbers = {block: number for number, block in enumerate(used)}
        for call in calls:
            call["within"] = [numbers[block] for block in call["within"]]
        blocks = [self._found[block] for block in used]
        found: dict[str, Any] = {"calls": calls, "blocks": blocks, "phases": self._phases}
        return found | {"truncated": True} if self._is_cut else found

    def _call(self, node: Node) -> None:
        kind = self._blocks.global_called(node)
        given = node.child_by_field_name("arguments")
        if given is None:
            return
        first, second = (nth(given, number) for number in range(2))
        if kind == "phase" and first is not None:
            self._enter_phase(node, first)
        elif kind in _KINDS:
            self._add(node, kind, self._members(kind, first, second))

    def _members(self, kind: str, first: Node | None, second: Node | None) -> dict[str, Any]:
        said = {} if first is None else self._said(kind, first, second)
        if kind in ("sleep", "exec"):
            return said
        options = {} if second is None or kind == "workflow" else self._values.members(second)
        for name in _OPTIONS if kind == "agent" else ("label",):
            if name in options and (text := self._values.pattern(options[name])) is not None:
                said[name] = text
        if kind == "agent":
            if "phase" not in options and self._phase is not None:
                said["phase"] = self._phase
            if "schema" in options:
                said["schema"] = True
            if second is not None and not self._values.is_known(second):
                said["options"] = self._values.shown(second)
        return said

    def _said(self, kind: str, first: Node, second: Node | None) -> dict[str, Any]:
        """What a call says in its first argument."""
        if kind == "workflow":
            path = self._values.members(first).get("scriptPath")
            return {"ref": self._text_of(first)} if path is None else {"scriptPath": self._text_of(path)}
        if kind == "exec":
            command = {} if second is None else self._values.members(second)
            known = {"command": self._text_of(command["command"])} if "command" in command else {}
            return {"profile": self._text_of(first)} | known
        return {{"agent": "prompt", "ask": "question", "sleep": "ms"}[kind]: self._text_of(first)}

    def _text_of(self, node: Node) -> str:
        """A text as far as it is known; otherwise the expression."""
        text = self._values.pattern(node) or ""
        return f"${{{self._values.shown(node)}}}" if text == UNKNOWN else " ".join(text.split())

    def _use(self, node: Node, field: str | None) -> None:
        """A function of the source that is called, or given to what calls it."""
        name = self._values.text(node)
        if name not in self._own or name in self._names.globals:
            return
        parent = self._path[-2]
        is_called = parent.type == "call_expression" and field == "function"
        if is_called or parent.type in ("arguments", "array", "spread_element"):
            phase = {} if self._phase is None else {"phase": self._phase}
            self._add(parent if is_called else node, "function", {"name": name[:100]} | phase)

    def _add(self, node: Node, kind: str, members: dict[str, Any]) -> None:
        if len(self._calls) >= MAX_CALLS:
            self._is_cut = True
            return
        within = [self._number(block) for block in self._within[:MAX_WITHIN]]
        line, column = positions.position(self._source, node.start_byte)
        place = {"kind": kind, "line": line, "column": column}
        self._calls.append(place | members | {"within": [each for each in within if each is not None]})

    def _number(self, opening: Opening) -> int | None:
        if opening.key in self._ids:
            return self._ids[opening.key]
        if len(self._found) >= MAX_BLOCKS:
            self._is_cut = True
            return None
        line, column = positions.position(self._source, opening.node.start_byte)
        opening.members.update({"kind": opening.key.kind, "line": line, "column": column})
        self._found.append(opening.members)
        self._ids[opening.key] = len(self._found) - 1
        return self._ids[opening.key]

    def _enter_phase(self, node: Node, title: Node) -> None:
        name = self._values.pattern(title)
        if name is None:
            return
        self._phase = name
        line, column = positions.position(self._source, node.start_byte)
        for phase in self._phases:
            if phase["title"] == name:
                phase.setdefault("line", line)
                phase.setdefault("column", column)
                return
        if len(self._phases) < MAX_PHASES:
            self._phases.append({"title": name, "line": line, "column": column})

    def _leave_loop(self, kind: str) -> None:
        """A loop that is left from within goes round as often as it says, or less."""
        for node in reversed(self._path):
            if node.type in FUNCTIONS or (kind == "break_statement" and node.type == "switch_statement"):
                return
            if node.type in LOOPS:
                for opening in self._within:
                    if opening.key == Key("loop", node.start_byte):
                        opening.members["leaves"] = True
                if kind == "break_statement":
                    return


def _declared(meta: Any) -> list[dict[str, Any]]:
    phases = meta.get("phases") if isinstance(meta, dict) else None
    found: list[dict[str, Any]] = []
    for phase in phases if isinstance(phases, list) else ():
        title = phase if isinstance(phase, str) else phase.get("title") if isinstance(phase, dict) else None
        if isinstance(title, str) and len(found) < MAX_PHASES:
            found.append({"title": title[:200], "declared": True})
    return found


def _without_others(calls: list[dict[str, Any]], blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The calls, without those of functions that ask for nothing, by themselves or by others."""
    asking: set[str] = set()
    while True:
        kept = [call for call in calls if call["kind"] != "function" or call["name"] in asking]
        more = {
            blocks[call["within"][0]]["name"]
            for call in kept
            if call["within"] and blocks[call["within"][0]]["kind"] == "function"
        }
        if more <= asking:
            return kept
        asking |= more
