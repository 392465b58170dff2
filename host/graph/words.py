"""What the parts of a drawing are called."""

from __future__ import annotations

from flowcage.host.graph.outline import Block, Call
from flowcage.host.terminal.text import cut, safe

MAX_TITLE = 60
_UNKNOWN = "${…}"
_DETAILS = ("agentType", "model", "effort", "isolation", "profile")
_KEYS = {
    "workflow": ("ref", "scriptPath"),
    "ask": ("label", "question"),
    "sleep": ("ms",),
    "exec": ("command",),
}


def one_line(text: str) -> str:
    """A text in one line, without what would control a terminal or reorder a line."""
    return " ".join(safe(text).split())


def phase_title(title: str) -> str:
    """What a phase is called."""
    return _shown(title) or "without a name"


def call_title(call: Call) -> str:
    """What a call is called: its label, or the beginning of its prompt."""
    if call.kind == "agent":
        label = call.says.get("label", "")
        named = label if label.replace(_UNKNOWN, "").strip() else call.says.get("prompt", "")
        return _shown(named) or "agent"
    said = next((call.says[name] for name in _KEYS[call.kind] if call.says.get(name)), "")
    unit = " ms" if call.kind == "sleep" else ""
    return f"{call.kind}: {_shown(said)}{unit}" if said else call.kind


def detail(call: Call) -> str:
    """Its type of agent, model and the like."""
    said = (call.says.get(name, "") for name in _DETAILS)
    return cut(" · ".join(_shown(text) for text in said if text.replace(_UNKNOWN, "").strip()), MAX_TITLE)


def head(block: Block) -> str:
    """What a block does with what stands in it."""
    text, times = cut(one_line(block.text), MAX_TITLE), _times(block)
    if block.kind == "function":
        return f"{one_line(block.name)}()"
    if block.kind == "stage":
        return f"stage {block.stage}"
    if block.kind == "parallel":
        return "at once"
    if block.kind in ("each", "pipeline"):
        words = "for each of" if block.kind == "each" else "pipeline of"
        return f"{words} {text}{times}" if text else f"{words} items{times}"
    return f"loop: {text}{times}" if text else f"loop{times}"


def arm(block: Block) -> str:
    """When an arm of a branch is taken."""
    text, name = cut(one_line(block.text), MAX_TITLE), one_line(block.arm)
    if name == "then":
        return f"if {text}"
    if name == "else":
        return f"if not {text}"
    return "if it throws" if name == "catch" else cut(f"{text} is {name}", MAX_TITLE)


def _times(block: Block) -> str:
    if block.times is None:
        return ""
    return f" (at most ×{block.times})" if block.leaves else f" (×{block.times})"


def _shown(text: str) -> str:
    return cut(one_line(text.replace(_UNKNOWN, "…")), MAX_TITLE)
