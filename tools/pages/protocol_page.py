"""Generates the sections of docs/protocol.md that have the contract's tables and transcripts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from flowcage.protocol.errors import CODES, RUN_FAILURES
from flowcage.protocol.limits import LOWERABLE_WIRE_NAMES
from flowcage.protocol.messages import METHODS
from flowcage.protocol.replies import CONTRADICTIONS, MAY_FAIL, Known, Said
from flowcage.protocol.state import CLOSED, FAILED, NEW, ON_FAILURE, READY, RUNNING, TRANSITIONS
from flowcage.schemas.loader import document
from tools.pages import page
from tools.tables import PARTS, error_row, members, number, table
from tools.variants import variants

GOLDEN = Path(__file__).parents[2] / "tests" / "golden"
_STATES = (NEW, READY, RUNNING, FAILED, CLOSED)


def state_diagram() -> Iterator[str]:
    """The state table, as a Mermaid diagram and as a table."""
    yield from ("```mermaid", "stateDiagram-v2", f"    [*] --> {NEW}")
    arrows: dict[tuple[str, str], list[str]] = {}
    for (state, method), after in TRANSITIONS.items():
        arrows.setdefault((state, after), []).append(method)
    for (state, method), after in ON_FAILURE.items():
        arrows.setdefault((state, after), []).append(f"{method} (the run fails)")
    for (state, after), messages in arrows.items():
        yield f"    {state} --> {after}: {', '.join(messages)}"
    yield from (f"    {CLOSED} --> [*]", "```", "")
    yield from table(("Message", *(f"in `{state}`" for state in _STATES)), _state_rows())


def _state_rows() -> Iterator[tuple[str, ...]]:
    for method in METHODS:
        cells = [
            f"`{TRANSITIONS[state, method]}`" if (state, method) in TRANSITIONS else "–" for state in _STATES
        ]
        yield (f"`{method}`", *cells)


def methods() -> Iterator[str]:
    """All methods, with tables of their params and results."""
    for method in METHODS:
        params, result = document(f"{method}.params"), document(f"{method}.result")
        yield from (f"### {method}", "")
        if "properties" in params:
            yield from (params["description"], "", *members(params, "Param"))
        yield from (f"Result: {result['description']}", "", *members(result, "Member"))


def parts() -> Iterator[str]:
    """The shared parts of messages, with tables of their members."""
    for name in PARTS:
        schema = document("common")["$defs"][name]
        yield from (f"### {name}", "", schema["description"], "")
        yield from members(schema, "Member")


def limits() -> Iterator[str]:
    """The limits with their defaults."""
    properties = document("common")["$defs"]["limits"]["properties"]
    rows = [
        (
            f"`{name}`",
            number(schema.get("default")),
            "yes" if name in LOWERABLE_WIRE_NAMES else "–",
            schema["description"],
        )
        for name, schema in properties.items()
    ]
    yield from table(("Limit", "Default", "`run` can lower it", "What it bounds"), rows)


def errors() -> Iterator[str]:
    """A table of all kinds of error."""
    yield from table(
        ("`data.kind`", "`code`", "Meaning", "Further members of `data`"),
        map(error_row, variants(document("error"))),
    )


def replies() -> Iterator[str]:
    """Which errors may answer which message, and what a drain may report in which state."""
    rows = [(f"`{method}`", _kinds(kinds)) for method, kinds in MAY_FAIL.items()]
    yield from table(("Message", "Errors that may answer it"), rows)
    yield ""
    head = ("A drain says", *(f"while {known.value}" for known in Known))
    yield from table(head, ((said.value, *(_whether(known, said) for known in Known)) for said in Said))


def _kinds(kinds: frozenset[str]) -> str:
    named = ["a failed run"] if kinds >= RUN_FAILURES else []
    left = kinds - RUN_FAILURES if named else kinds
    return ", ".join(named + [f"`{kind}`" for kind in CODES if kind in left]) or "none"


def _whether(known: Known, said: Said) -> str:
    return "impossible" if (known, said) in CONTRADICTIONS else "possible"


def failing_run() -> Iterator[str]:
    """The golden transcript of a run that throws."""
    return _transcript("failure")


def stalled_run() -> Iterator[str]:
    """The golden transcript of a run that can never complete."""
    return _transcript("stalled")


SECTIONS: dict[str, Callable[[], Iterable[str]]] = {
    "state diagram": state_diagram,
    "methods": methods,
    "parts": parts,
    "limits": limits,
    "errors": errors,
    "replies": replies,
    "failing run": failing_run,
    "stalled run": stalled_run,
}


def embed(text: str) -> str:
    """The page with its sections generated.

    Raises:
        ValueError: a section has no markers.
    """
    return page.embed(text, SECTIONS)


# ---- transcripts -----------------------------------------------------------------------------


def _transcript(name: str) -> Iterator[str]:
    """A golden transcript; of the answer to `initialize` only what does not differ between machines."""
    yield "```jsonl"
    for text in (GOLDEN / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(text)
        mark = ">" if entry["from"] == "host" else "<"
        yield f"{mark} {_shortened(entry['line'])}"
    yield "```"


def _shortened(line: str) -> str:
    message = json.loads(line)
    if "server" not in message.get("result", {}):
        return line
    message["result"] = {"protocolVersion": message["result"]["protocolVersion"], "…": "…"}
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))
