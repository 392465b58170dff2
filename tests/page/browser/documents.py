"""Page documents as a report or the user interface shows them: of a real run's form, of any size, hostile."""

from __future__ import annotations

import random
from typing import Any

from .made_calls import COSTS, calls_of

SCRIPT = """\
export const meta = {
  name: 'review',
  phases: [
    { title: 'Plan', detail: 'what is to be read' },
    { title: 'Review', detail: 'a reader for each part' },
    { title: 'Verify' },
    { title: 'Report' },
  ],
};

// One plan, then a reader for each part of it.
phase('Plan');
const plan = await agent(`List the parts of ${args.folder}`, { label: 'plan', schema: PARTS });

phase('Review');
const findings = await parallel(
  plan.parts.map((part) => () => agent(`Review ${part}`, { label: `review:${part}`, schema: FINDINGS })),
);

phase('Verify');
const certain = await pipeline(findings.flat(), (finding) =>
  agent(`Is this true? ${finding.claim}`, { label: `verify:${finding.id}`, model: 'small' }));

phase('Report');
return await agent(`Write it up: ${JSON.stringify(certain)}`, { label: 'report' });
"""


def document(calls: int = 9, *, seed: int = 17, state: str = "ended") -> dict[str, Any]:
    """A run of four phases with so many agents."""
    made = calls_of(calls, random.Random(seed), state)
    run = _run(made, state)
    ended = run["seconds"]
    workflow: dict[str, Any] = {
        "path": "",
        "runId": run["id"],
        "sourceName": "review.js",
        "source": SCRIPT,
        "parent": None,
    }
    workflow["outline"] = _OUTLINE
    logs = [
        {"at": round(number * ended / calls, 3), "seq": number, "path": "", "text": f"part {number} read"}
        for number in range(min(calls, 400))
    ]
    return {
        "page": 1,
        "flowcage": "0.9.0",
        "asOf": "2026-11-28T20:16:00Z",
        "run": run,
        "workflows": [workflow | {"state": state, "verdict": run["verdict"]}],
        "calls": made,
        "logs": logs,
        "events": _events(made),
        "totals": {f"by{member.title()}": _totals(made, member) for member in ("phase", "model", "label")},
        "left": {"logs": 0, "events": 0},
    }


def _run(made: list[dict[str, Any]], state: str) -> dict[str, Any]:
    is_over = state == "ended"
    is_failed = any(call["state"] == "failed" for call in made)
    ended = max((call["ended"] or 0.0 for call in made), default=0.3)
    run = {
        "id": "01KB5Q4Z9TD8M2W6HX3RNC7YEF",
        "tenant": "default",
        "name": "review",
        "sourceName": "review.js",
        "state": state,
        "verdict": ("failed" if is_failed else "completed") if is_over else None,
        "error": _ERROR if is_failed and is_over else None,
        "createdAt": "2026-11-28T20:14:03Z",
        "endedAt": "2026-11-28T20:15:41Z" if is_over else None,
        "seconds": round(ended + 0.4, 3),
        "forkedFrom": None,
        "args": {"folder": "src/", "depth": 2},
        "phases": _PHASES,
        "usage": {name: sum(call[name] for call in made) for name in COSTS},
        "census": {"agents": len(made)},
        "diagnostics": [_DIAGNOSTIC] if made else [],
        "lives": 1,
    }
    return run if run["error"] or not is_over else run | {"result": _RESULT if made else {"nothing": True}}


# As the child reads it from the script.
_OUTLINE = {
    "calls": [
        {"kind": "agent", "line": 13, "column": 20, "phase": "Plan", "label": "plan"},
        {"kind": "agent", "line": 17, "column": 31, "phase": "Review", "label": "review:${…}"},
        {"kind": "agent", "line": 22, "column": 3, "phase": "Verify", "label": "verify:${…}"},
        {"kind": "agent", "line": 25, "column": 14, "phase": "Report", "label": "report"},
    ]
}
_PHASES = [
    {"title": "Plan", "detail": "what is to be read"},
    {"title": "Review", "detail": "a reader for each part"},
    {"title": "Verify"},
    {"title": "Report"},
]
_ERROR = {
    "kind": "workflow_error",
    "message": "agent 14 failed: exit status 1: the program wrote no answer",
    "stack": "    at review.js:20:32",
    "place": "review.js:20:32",
}
_DIAGNOSTIC = {
    "kind": "unawaited",
    "message": "agent() is not awaited: nobody reads its answer",
    "line": 21,
    "column": 3,
}
_RESULT = {
    "summary": "Three findings are certain, one of them serious: a token is compared byte by byte.",
    "findings": [
        {"severity": "high", "file": "src/auth/token.ts", "line": 88, "claim": "compared in variable time"},
        {"severity": "medium", "file": "src/queue.ts", "line": 141, "claim": "not released on throw"},
        {"severity": "low", "file": "src/log.ts", "line": 12, "claim": "a date in local time"},
    ],
    "dismissed": 6,
}


def _events(made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[tuple[float, str, str]] = []
    for call in made:
        found.append((call["asked"], "agent_queued", f"{call['label']} is in the queue"))
        if call["ended"] is not None:
            kind = "agent_failed" if call["state"] == "failed" else "agent_completed"
            found.append((call["ended"], kind, call["label"]))
    return [
        {"at": at, "seq": number, "path": "", "type": kind, "text": text}
        for number, (at, kind, text) in enumerate(sorted(found))
    ]


def _totals(made: list[dict[str, Any]], member: str) -> list[dict[str, Any]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for call in made:
        groups.setdefault(str(call[member] or "").split(":")[0], []).append(call)
    return [{"name": name} | _sums(calls) for name, calls in groups.items()]


def _sums(calls: list[dict[str, Any]]) -> dict[str, Any]:
    attempts = [each for call in calls for each in call["attempts"]]
    return {name: sum(call[name] for call in calls) for name in COSTS} | {
        "calls": len(calls),
        "failed": sum(call["state"] == "failed" for call in calls),
        "seconds": round(sum((each["ended"] or each["began"]) - each["began"] for each in attempts), 3),
    }


HOSTILE = (
    "<script>globalThis.owned = true</script><img src=x onerror='globalThis.owned = true'>"
    "</script><!--<script>\u2028\u2029\x1b[31mred\x1b[0m\x1b]0;title\x07"
    " \u202egnp.exe\u2066 \ud800 \u200b\x00 javascript:alert(1)"
)


def hostile() -> dict[str, Any]:
    """Every text is an attack, and one is a megabyte long."""
    whole: dict[str, Any] = _replaced(document(12), "")
    whole["calls"][1]["prompt"] = (HOSTILE * 8000)[:1_048_576]
    whole["calls"][2]["prompt"] = "x" * 1_048_576
    whole["calls"][3]["cut"] = {"prompt": 2_000_000}
    return whole


# Members whose values are words of the document's own, not text.
_OWN_WORDS = {"id", "state", "verdict", "kind", "path", "createdAt", "endedAt", "asOf", "parent"}


def _replaced(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_replaced(each, name) for each in value]
    return value + HOSTILE if isinstance(value, str) and name not in _OWN_WORDS else value


def mixed() -> dict[str, Any]:
    """A run that has a child workflow, sleeps and asks a person, of which no call has a phase."""
    whole = document(4, state="running")
    plain: dict[str, Any] = {
        "label": None,
        "phase": None,
        "prompt": "",
        "options": {},
        "value": None,
        "model": None,
        "attempts": [],
    }
    spent = dict.fromkeys(COSTS, 0)
    base = whole["calls"][0] | plain | spent
    del base["value"]
    at_work: dict[str, Any] = {
        "number": 1,
        "began": 7.1,
        "ended": None,
        "lives": 2,
        "error": None,
        "refused": [],
    } | spent
    sleep: dict[str, Any] = {"began": None, "options": {"durationMs": 900}}
    lint = {"kind": "agent", "label": "lint:a", "state": "answered", "value": "two warnings\n\n- one\n- two"}
    refused = {
        "kind": "agent",
        "prompt": "x",
        "state": "refused",
        "error": "the limit of 4 agents is reached",
    }
    asked = {"kind": "ask", "label": "gate", "prompt": "Ship it?", "state": "open", "attempts": [at_work]}
    whole["calls"] = [
        base
        | _at(0.1, 0.1, 6.0)
        | {"id": "1", "kind": "workflow", "prompt": '{"scriptPath":"./lint.js"}', "state": "done"},
        base | _at(0.4, 0.4, 5.2) | {"id": "1/1", "path": "1"} | lint,
        base | _at(6.1, 6.1, 7.0) | {"id": "2", "kind": "sleep", "state": "done"} | sleep,
        base | _at(7.1, 7.1, None) | {"id": "3"} | asked,
        base | _at(7.1, None, 7.4) | {"id": "4", "kind": "sandbox_exec", "state": "cancelled"},
        base | _at(7.1, None, 7.1) | {"id": "5"} | refused,
    ]
    whole["run"] |= {"phases": [], "seconds": 12.0, "lives": 2, "state": "asleep"}
    child = whole["workflows"][0] | {"path": "1", "sourceName": "lint.js", "source": "return agent('lint')\n"}
    whole["workflows"].append(child | {"parent": "1", "outline": {"calls": []}})
    return whole


def _at(asked: float, began: float | None, ended: float | None) -> dict[str, Any]:
    return {"asked": asked, "began": began, "ended": ended}
