"""Broken values, limits, failures and determinism."""

from __future__ import annotations

from typing import Any

from .mutant import (
    Mutant,
    completes,
    edit,
    edit_data,
    error,
    has,
    method,
    reading,
    replaced,
    result,
    run,
    says,
    silence,
    when,
)

QUIET = {"calls": [], "requests": [], "state": "pending"}


def _told(source: str, then: Any, nth: int = 0) -> Mutant:
    return when(method("drain", nth), run(source), then=then)


def _ends_badly(source: str) -> Mutant:
    return Mutant(ends=lambda past, _ended, _held: 1 if past and source in past[-1].source else 0)


def _value(text: str, new: str) -> Mutant:
    """One kind of text in results becomes something else."""
    return when(method("drain", 2), run('agent("v"'), says(text), then=replaced(text, new))


OF_ENGINE: dict[str, Mutant] = {
    "values/nul": _value("a\\u0000b", "ab"),
    "values/separators": _value("\u2028", " "),
    "values/astral": _value("\U0001d11e", "?"),
    "values/lone-surrogate": _value("\\ud800", "\ufffd"),
    "values/numbers": _value("5e-324", "0"),
    "values/proto-member": _told("getPrototypeOf", completes([1, False])),
    "values/nested": when(method("start"), has("[" * 400), then=error("message_too_large")),
    "values/megabytes": when(has('"id": "large"'), then=error("message_too_large", None)),
    "values/json-rules": _told("u: undefined", replaced("mine", "{}")),
    "values/undefined-result": _told("() => {};", error("serialization")),
    "limits/step-timeout": when(
        method("drain"), lambda turn: turn.source.startswith("for (;;);\nexport default 1;"), then=silence
    ),
    "limits/step-timeout-in-jobs": _told("const again =", result(QUIET)),
    "limits/step-timeout-uncatchable": _told("try { for (;;); }", completes([None])),
    "limits/step-timeout-renewed": _told('agent("slow")', error("timeout"), 2),
    "limits/memory": _told("a.push(new Array", error("exception")),
    "limits/stack": _told("f() + 1", error("exception")),
    "limits/queued-bytes": _told('log("x".repeat(1000))', completes(1)),
    "limits/pending-requests": _told('agent("many")', completes(1)),
    "limits/sleep": reading("sleep(1001)", "sleep(1000)"),
    "limits/reply-too-long": _told('"long".repeat', completes("longlong")),
    "limits/survives-timeout": _ends_badly("export default 2;"),
    "limits/survives-memory": _ends_badly('s + "y"'),
    "failures/exception": _told('RangeError("boom")', edit_data(name="Error")),
    "failures/evaluation": _told('"at once"', completes(1)),
    "failures/dynamic-import": _told('import("fs")', completes("imported")),
    "failures/serialization": _told("default 1n", completes("1")),
    "failures/repeated": when(method("take"), run('"again"'), then=edit_data(message="another")),
    "failures/queued-first": _told("then this", edit(lambda told: told.update(requests=[])), 1),
    "failures/nothing-runs-after": _told(
        'log("ran")', result({**QUIET, "calls": [{"type": "log", "values": ["ran"]}]}), 2
    ),
    "failures/shutdown": _ends_badly('"shut down then"'),
    "determinism/no-clock": _told("Date.now()", completes("number")),
    "determinism/no-randomness": _told("Math.random()", completes("number")),
    "determinism/no-collector": _told("WeakRef", completes("object")),
    "determinism/no-dynamic-code": _told('constructor("return 1")', completes(1)),
    "determinism/no-timers": _told("setTimeout", completes("function")),
    "determinism/args-frozen": _told("args.a.b = 2", completes([2, '{"a":{"b":2}}'])),
}
