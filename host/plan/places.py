"""Where in its source a call of a dry run was made, found by what the source says of its label and prompt."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowcage.host.graph.outline import Block, Call, Outline
from flowcage.host.plan.recorder import PlannedCall

# What stands in the texts of an outline for what is known at run time only: ``${…}``, or one expression.
_UNKNOWN = re.compile(r"\$\{…\}|^\$\{.*\}$", re.DOTALL)
_MAX_COMPARED = 4_000


def place_of(call: PlannedCall, outline: Outline) -> Call | None:
    """The call of the outline that fits best; None where none does, or several do as well."""
    best: list[tuple[int, bool, Call]] = []
    for each in outline.calls:
        if each.kind == "agent" and (likeness := _likeness(call, each)) is not None:
            found = (likeness, each.says.get("phase") == call.phase, each)
            if not best or found[:2] > best[0][:2]:
                best = [found]
            elif found[:2] == best[0][:2]:
                best.append(found)
    return best[0][2] if len(best) == 1 else None


def varying(call: Call, outline: Outline) -> list[Block]:
    """What decides by answers how often a call is made, here or where its function is called."""
    return list({block: None for block in _around(call, outline, set()) if block.depends or block.leaves})


def _around(call: Call, outline: Outline, seen: set[str]) -> Iterator[Block]:
    for number in call.within:
        block = outline.blocks[number]
        if block.kind != "function":
            yield block
        elif block.name not in seen:
            seen.add(block.name)
            for other in outline.calls:
                if other.kind == "function" and other.says.get("name") == block.name:
                    yield from _around(other, outline, seen)


def _likeness(call: PlannedCall, place: Call) -> int | None:
    """How many letters of label and prompt are those of the source; None where one of them does not fit."""
    found = 0
    if call.label is not None and not place.says.keys() & {"label", "options"}:
        return None
    for pattern, text in ((place.says.get("label"), call.label), (place.says.get("prompt"), call.prompt)):
        if pattern is None:
            continue
        likeness = -1 if text is None else _fit(pattern, " ".join(text[:_MAX_COMPARED].split()))
        if likeness < 0:
            return None
        found += likeness
    return found


def _fit(pattern: str, text: str) -> int:
    """How many letters a pattern has that fit; -1 where it does not."""
    parts = [part.strip() for part in _UNKNOWN.split(pattern)]
    if parts[-1].endswith("…"):  # the outline has a beginning of it
        parts[-1] = parts[-1][:-1].strip()
        parts.append("")
    if not text.startswith(parts[0]):
        return -1
    at = 0
    for number, part in enumerate(parts):
        is_last = number == len(parts) - 1
        start = text.rfind(part) if is_last and part and number else text.find(part, at)
        if start < at or (is_last and part and start + len(part) != len(text)):
            return -1
        at = start + len(part)
    return sum(map(len, parts)) if len(parts) > 1 or text == parts[0] else -1
