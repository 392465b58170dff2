"""The page document as Markdown, to be pasted into a pull request.

What a script, a model or a store has written stands in code, in a span or between fences that are longer than
any run of backticks in it, and never in the text: there it could be a heading, a link, an image, HTML, a
mention of somebody or a reference to an issue. Controls and what reorders text are replaced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from flowcage.host.terminal.text import cut, whole
from flowcage.protocol.messages import Json

# Services take some 65,000 characters as a comment.
MOST_CHARACTERS = 60_000
_CELL, _LINE, _BLOCK = 60, 300, 3_000  # characters
_ROWS, _TROUBLES, _LOGS = 100, 10, 20
_NUMBERS = ("Calls", "Failed", "Tokens", "Cost", "Time", "Agent time")  # heads of columns
_TICKS = re.compile("`+")

_Object: TypeAlias = Mapping[str, Any]


def markdown(document: _Object, *, full: bool = False) -> str:
    """The document as Markdown.

    Args:
        document: of a run.
        full: whether each call is told with its prompt and its answer, however long that becomes.
    """
    told: list[str] = []
    size = 0
    for section in _sections(document, full):
        size += len(section) + 2
        if size > MOST_CHARACTERS and told and not full:
            told.append("… and more, which `flowcage report --full` has.")
            break
        told.append(section)
    return "\n\n".join(told) + "\n"


# ---- texts of anybody's ----------------------------------------------------------------------


def span(text: str, most: int = _LINE) -> str:
    """A text on one line, as code; a bar, which would end a cell of a table, becomes a broken one."""
    line = cut(" ".join(whole(text[: 4 * most]).split()), most).replace("|", "¦")
    if not line:
        return "–"
    ticks = "`" * (_longest(line) + 1)
    # One space at each end belongs to the ticks, and parts those of the text from them.
    return f"{ticks} {line} {ticks}" if "`" in line else f"{ticks}{line}{ticks}"


def block(text: str, kind: str = "text", most: int | None = _BLOCK) -> str:
    """A text between fences."""
    shown = whole(text if most is None else cut(text, most))
    fence = "`" * max(3, _longest(shown) + 1)
    return f"{fence}{kind}\n{shown}\n{fence}"


def _value(value: Json, most: int | None = _BLOCK) -> str:
    if isinstance(value, str):
        return block(value, most=most)
    return block(json.dumps(value, ensure_ascii=False, indent=2), "json", most)


def _longest(text: str) -> int:
    return max(map(len, _TICKS.findall(text)), default=0)


# ---- sections --------------------------------------------------------------------------------


def _sections(document: _Object, full: bool) -> Iterator[str]:
    run = document["run"]
    yield _head(document)
    if run["error"] is not None:
        yield _error(run["error"])
    if "result" in run:
        yield f"**Result**\n\n{_value(run['result'], None if full else _BLOCK)}"
    yield from _tables(document)
    yield from _troubles(document)
    if document["logs"]:
        yield _log(document, full)
    if full:
        yield from map(_call, document["calls"])


def _head(document: _Object) -> str:
    run, agents = document["run"], document["run"]["census"]
    standing = run["verdict"] or run["state"]
    lines = [
        f"## {span(run['name'])}: {standing if standing.isidentifier() else span(standing)}",
        "",
        f"{_agents(agents)}, {_usage(run['usage'])}, {_length(run['seconds'])}.",
        "",
        f"- run {span(run['id'])}, begun {run['createdAt'] or 'at an unknown time'}",
    ]
    if run["state"] not in ("ended", "diverged"):
        lines.append(f"- as of {document['asOf']}: {_going(run['state'])}")
    if run["forkedFrom"]:
        lines.append(f"- goes on from run {span(run['forkedFrom'])}")
    if run["lives"] > 1:
        lines.append(f"- in its life {run['lives']}: it was left, or slept, and was taken up again")
    return "\n".join(lines)


def _error(error: _Object) -> str:
    stack = error.get("stack") or ""
    text = f"{error['message']}\n{stack}".rstrip()
    place = f" at {span(error['place'])}" if "place" in error else ""
    return f"**Error** {span(error['kind'])}{place}\n\n{block(text)}"


def _going(state: str) -> str:
    words = {
        "running": "the run goes on",
        "asleep": "the run is asleep",
        "queued": "the run has not begun",
        "abandoned": "the process that had the run is gone",
    }
    return words.get(state, state)


def _tables(document: _Object) -> Iterator[str]:
    totals = document["totals"]
    phases = [row for row in totals["byPhase"] if row["name"] or len(totals["byPhase"]) > 1]
    for title, rows in (("Phase", phases), ("Model", [row for row in totals["byModel"] if row["name"]])):
        if rows:
            yield _table(
                (title, "Calls", "Failed", "Tokens", "Cost", "Agent time"), map(_total, rows[:_ROWS])
            )
    calls = document["calls"]
    if calls:
        heads = ("#", "What", "Phase", "State", "Model", "Tokens", "Cost", "Time")
        table = _table(heads, map(_row, calls[:_ROWS]))
        rest = len(calls) - _ROWS
        yield table + (f"\n\n… and {rest:,} more calls." if rest > 0 else "")


def _total(row: _Object) -> Sequence[str]:
    return (
        span(row["name"], _CELL),
        f"{row['calls']:,}",
        f"{row['failed']:,}" if row["failed"] else "",
        f"{row['tokens']:,}",
        _cost(row),
        _length(row["seconds"]),
    )


def _row(call: _Object) -> Sequence[str]:
    retries = len(call["attempts"]) - 1
    state = call["state"] + (", reused" if call["reused"] else "")
    return (
        span(call["id"], 20),
        ("" if call["kind"] == "agent" else span(call["kind"], 20) + " ")
        + span(call["label"] or call["prompt"] or _option(call), _CELL),
        span(call["phase"] or "", _CELL),
        state + (f", {retries} retried" if retries > 0 else ""),
        span(call["model"] or "", _CELL),
        f"{call['tokens']:,}" if call["tokens"] else "",
        _cost(call),
        _length(call["seconds"]) if call["attempts"] else "",
    )


def _option(call: _Object) -> str:
    """What a call without a prompt is about."""
    options = call["options"]
    milliseconds = options.get("durationMs") if isinstance(options, dict) else None
    return "" if milliseconds is None else _length(milliseconds / 1000)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rules = ["---:" if head in _NUMBERS else "---" for head in heads]
    lines = [heads, rules, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _troubles(document: _Object) -> Iterator[str]:
    """Calls without an answer, and answers that were refused, some of them."""
    bad = [call for call in document["calls"] if call["state"] in ("failed", "refused")]
    for call in bad[:_TROUBLES]:
        yield f"**{call['state'].capitalize()}** {_called(call)}\n\n{block(call['error'] or '')}"
    if len(bad) > _TROUBLES:
        yield f"… and {len(bad) - _TROUBLES:,} more calls without an answer."
    refused = [
        (call, answer)
        for call in document["calls"]
        for attempt in call["attempts"]
        for answer in attempt["refused"]
    ]
    for call, answer in refused[:_TROUBLES]:
        yield f"**Answer refused** {_called(call)}: {span(answer['problem'])}\n\n{block(answer['text'])}"


def _called(call: _Object) -> str:
    return span(f"{call['id']} {call['label']}" if call["label"] else call["id"])


def _log(document: _Object, full: bool) -> str:
    lines = document["logs"] if full else document["logs"][-_LOGS:]
    before = len(document["logs"]) - len(lines) + document["left"]["logs"]
    note = f" (the last {len(lines):,} of {len(lines) + before:,} lines)" if before else ""
    text = "\n".join(each["text"] for each in lines)
    return f"**Log**{note}\n\n{block(text, most=None if full else _BLOCK)}"


def _call(call: _Object) -> str:
    """One call with its texts."""
    parts = [f"### Call {_called(call)}"]
    if call["prompt"]:
        parts += ["Prompt:", block(call["prompt"], most=None)]
    if call["options"]:
        parts += ["Options:", _value(call["options"], None)]
    if "value" in call:
        parts += ["Answer:", _value(call["value"], None)]
    return "\n\n".join(parts)


# ---- figures ---------------------------------------------------------------------------------


def _agents(census: _Object) -> str:
    failed = census["failed"] + census["refused"]
    told = [_count(census["started"], "agent"), f"{failed:,} failed"]
    return ", ".join(told + ([f"{census['reused']:,} reused"] if census["reused"] else []))


def _usage(usage: _Object) -> str:
    cost = _cost(usage)
    return _count(usage["tokens"], "token") + (f", {cost}" if cost else "")


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def _cost(usage: _Object) -> str:
    """US dollars, and whether there were more; the backslash keeps them from being a formula."""
    if usage["unpriced"]:
        return f"\\${usage['costUsd']:.4f} and more"
    return f"\\${usage['costUsd']:.4f}" if usage["costUsd"] else ""


def _length(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds >= 10 else f"{seconds:.2f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
