"""What to use in place of names that a workflow does not have."""

from __future__ import annotations

import re

from flowcage.child.sandbox.prelude_source import PRELUDE

# The globals of ECMAScript and of workflows that a realm has. A test compares them with a realm's.
_GLOBALS = """
    AggregateError Array AsyncDisposableStack BigInt Boolean DisposableStack Error EvalError
    Infinity InternalError Iterator JSON Map Math NaN Number Object Promise Proxy RangeError
    ReferenceError Reflect RegExp Set String SuppressedError Symbol SyntaxError TypeError
    URIError WeakMap WeakSet SW agent args budget decodeURI decodeURIComponent encodeURI
    encodeURIComponent escape globalThis isFinite isNaN log parallel parseFloat parseInt phase
    pipeline queueMicrotask undefined unescape workflow
"""
GLOBALS = frozenset(_GLOBALS.split())
_ELSEWHERE = {
    "sleep": "SW.extra.sleep(ms), or import { sleep } from 'workflow:extra'",
    "delay": "SW.extra.sleep(ms)",
    "wait": "SW.extra.sleep(ms)",
    "ask": "SW.extra.ask(question), or import { ask } from 'workflow:extra'",
    "exec": "SW.sandbox.exec(profile, request), or import { exec } from 'workflow:sandbox'",
    "bash": "SW.sandbox.exec(profile, request), or have an agent run it",
    "shell": "SW.sandbox.exec(profile, request), or have an agent run it",
    "race": "Promise.race([…]), or parallel([() => …])",
    "all": "parallel([() => …])",
    "map": "pipeline(items, stage)",
    "input": "args",
    "inputs": "args",
    "params": "args",
    "argv": "args",
    "context": "the second parameter of a default function, or the globals",
    "ctx": "the second parameter of a default function, or the globals",
    "task": "agent(prompt)",
    "llm": "agent(prompt)",
    "prompt": "agent(prompt)",
    "ai": "agent(prompt)",
    "claude": "agent(prompt)",
    "spawn": "agent(prompt)",
    "step": "phase(name)",
    "stage": "phase(name)",
    "subworkflow": "workflow(name, args)",
    "runWorkflow": "workflow(name, args)",
    "emit": "log(…)",
    "progress": "log(…)",
    "tokens": "budget.spent() and budget.remaining()",
}


def absent_names() -> dict[str, str]:
    """The names that other runtimes have and a realm does not, with what to do: the prelude's list."""
    text = PRELUDE.decode()
    listed = text[text.index("const ABSENT = [") : text.index("const KNOWN_GLOBALS")]
    rows = re.findall(r"\['([^']*)',\s*'([^']*)'\]", listed)
    return {name: advice for names, advice in rows for name in names.split()}


def in_place_of(name: str) -> str:
    """What to write where a name was meant to be a global; empty where nothing is near."""
    if name in _ELSEWHERE:
        return f"use {_ELSEWHERE[name]}"
    near = near_match(name, sorted(GLOBALS))
    return f"did you mean {near}?" if near else ""


def near_match(name: str, names: list[str]) -> str:
    """The one of some names that differs from this one by case, or by one letter; empty if there is none."""
    for each in names:
        if each != name and each.lower() == name.lower():
            return each
    if len(name) < 4:
        return ""
    return next((each for each in names if len(each) > 3 and _differ_by_one(name, each)), "")


def _differ_by_one(one: str, other: str) -> bool:
    """Whether one letter was left out, added, changed, or swapped with the next."""
    if abs(len(one) - len(other)) > 1 or one == other:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    rest, others = one[start:], other[start:]
    swapped = others[1:2] + others[:1] + others[2:]
    return rest[1:] == others or rest == others[1:] or rest[1:] == others[1:] or rest == swapped
