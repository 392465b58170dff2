"""What ``flowcage show`` tells of a run: its calls as a tree by phase, and one of them with all there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from flowcage.host.cli.runs.looking.bills import costs_text, detail_lines, dollars
from flowcage.host.cli.runs.looking.columns import aligned, one_line
from flowcage.host.cli.runs.looking.summaries import INTERRUPTED, standing
from flowcage.host.cli.runs.times import length, told
from flowcage.host.durable.records import RunRecord, Summary
from flowcage.host.resume.looking.calls import CallAttempt, RunCall, costs_to_json
from flowcage.host.resume.looking.story import Story
from flowcage.host.run.core.agents.spending import Costs
from flowcage.host.run.core.tree import request_of
from flowcage.host.terminal.text import safe
from flowcage.protocol import strictjson
from flowcage.protocol.messages import (
    MISSING,
    AgentRequest,
    AskRequest,
    Json,
    Request,
    SleepRequest,
    WorkflowRequest,
)

_Row: TypeAlias = tuple[str, ...]
_RIGHT = frozenset({3, 4, 5, 6})  # columns with numbers
_NAME, _ERROR, _HELD = 44, 100, 1000  # characters
_QUESTIONS = 5
_DEPTH = 50  # of child workflows that are shown below each other


# ---- the run ---------------------------------------------------------------------------------


def members(record: RunRecord, story: Story) -> dict[str, Any]:
    """As JSON, beside the members of its summary."""
    totals, ending = story.totals, record.ending
    return {
        "usage": {
            "agents": totals.started,
            **costs_to_json(totals),
            "byModel": {
                name: {"answers": costs.answers} | costs_to_json(costs)
                for name, costs in story.models.items()
            },
        },
        "error": None if ending is None else ending.error,
        "workflows": dict(story.workflows),
        "calls": [call.to_json() for call in story.calls.values()],
    }


def lines(record: RunRecord, story: Story) -> list[str]:
    """For a person."""
    return [*_head(record, story), *_tree(story)]


def _head(record: RunRecord, story: Story) -> Iterator[str]:
    run, totals, ending = record.summary, story.totals, record.ending
    yield f"run       {run.run_id}"
    yield f"workflow  {one_line(run.source_name, _ERROR)}"
    if run.tenant:
        yield f"tenant    {one_line(run.tenant, _ERROR)}"
    if run.forked_from:
        yield f"forked    from {run.forked_from}"
    yield f"state     {_state(record)}"
    yield from _queue(run)
    yield f"begun     {told(run.created_at)}, last written {told(run.updated_at)}"
    failed = totals.failed + totals.refused
    yield f"agents    {_count(totals.started, 'call')}, {failed} failed{costs_text(totals)}"
    yield from detail_lines(totals, story.models)
    for call in _questions(record, story):
        text = one_line(call.prompt, _ERROR)
        yield f"asks      {text}; answer with: flowcage answer {run.run_id} {one_line(call.id, 20)} JSON"
    error = ending.error.get("message") if ending is not None and isinstance(ending.error, dict) else None
    if error:
        yield f"error     {one_line(str(error), 1000)}"


def _queue(run: Summary) -> Iterator[str]:
    """Of a run that workers take."""
    if run.pool is not None:
        pool = f"pool {one_line(run.pool, _ERROR)}" if run.pool else "the usual pool"
        lost = f", {_count(run.takeovers, 'worker')} lost with it" if run.takeovers else ""
        yield f"queue     {pool}, priority {run.priority}{lost}"
    if run.held:
        yield f"held      {one_line(run.held, _HELD)}"


def _questions(record: RunRecord, story: Story) -> list[RunCall]:
    """Those that wait for a person, some of them."""
    given = {answer.request for answer in record.answers}
    calls = story.calls.values() if record.summary.state not in ("ended", "diverged") else ()
    open_ones = (call for call in calls if isinstance(call.request, AskRequest) and call.state == "open")
    return [call for call in open_ones if call.id not in given][:_QUESTIONS]


def _state(record: RunRecord) -> str:
    run = record.summary
    word = one_line(standing(run), 30)
    if word == INTERRUPTED:
        return f"{word}: the process that had it is gone; go on with: flowcage resume {run.run_id}"
    if run.wake_at is not None:
        word += f" until {told(run.wake_at)}"
    return word if run.cancel is None or run.state == "ended" else f"{word}, and was asked to end"


def _tree(story: Story) -> list[str]:
    parts = list(_Tree(story).of("", ""))
    rows = iter(aligned([part for part in parts if isinstance(part, tuple)], _RIGHT))
    return [part if isinstance(part, str) else next(rows) for part in parts]


class _Tree:
    """Headings, and the rows of calls, of each workflow with those below it."""

    def __init__(self, story: Story) -> None:
        self._names = story.workflows
        self._calls: dict[str, dict[str, list[RunCall]]] = {}  # by path and phase
        self._below: dict[str, list[str]] = {}  # paths, by the request that started them
        for call in story.calls.values():
            self._calls.setdefault(call.path, {}).setdefault(call.phase or "", []).append(call)
        for path in story.workflows:
            if path:
                self._below.setdefault(request_of(path), []).append(path)

    def of(self, path: str, indent: str) -> Iterator[str | _Row]:
        """Those of one workflow."""
        phases = self._calls.get(path, {})
        for phase, calls in phases.items():
            if phase or len(phases) > 1:
                yield ""
                yield f"{indent}{one_line(phase, _ERROR) or '(no phase)'}  {_sum(calls)}"
            elif not path:
                yield ""
            for call in sorted(calls, key=lambda each: each.kind != "agent"):
                yield _row(call, indent)
                for below in self._below.get(call.id, ()):
                    if below.count("/") >= _DEPTH:
                        yield f"{indent}    … further workflows below are not shown"
                        break
                    yield f"{indent}    {one_line(self._names[below], _ERROR)}"
                    yield from self.of(below, f"{indent}    ")


def _row(call: RunCall, indent: str) -> _Row:
    attempts = len(call.attempts)
    return (
        f"{indent}  {call.id}",
        f"{'' if call.kind == 'agent' else call.kind + ' '}{one_line(_name(call), _NAME)}",
        call.state,
        f"{attempts} attempts" if attempts > 1 else "",
        f"{call.tokens:,} tokens" if call.tokens else "",
        dollars(call.costs),
        length(call.seconds) if any(each.ended is not None for each in call.attempts) else "",
        one_line(call.model or "", 30),
        _note(call),
    )


def _name(call: RunCall) -> str:
    if call.label:
        return call.label
    match call.request:
        case AgentRequest() | AskRequest():
            return call.prompt
        case WorkflowRequest(ref=ref):
            return ref if isinstance(ref, str) else strictjson.dumps(ref)
        case SleepRequest(duration_ms=duration):
            return length(duration / 1000)
    return ""


def _note(call: RunCall) -> str:
    notes = ["reused"] if call.reused else []
    if call.reused_from is not None:
        notes = [f"reused from {one_line(call.reused_from[0], 40)} #{one_line(call.reused_from[1], 20)}"]
    if any(attempt.lives > 1 for attempt in call.attempts):
        notes.append("interrupted and asked again")
    notes += [f"{name} {one_line(str(value), _ERROR)}" for name, value in _changes(call)][-1:]
    if call.error and call.state in ("failed", "refused"):
        notes.append(one_line(call.error, _ERROR))
    return "; ".join(notes)


def _sum(calls: Sequence[RunCall]) -> str:
    agents = [call for call in calls if call.kind == "agent"]
    told = [_count(len(agents), "call")] if agents else []
    others = len(calls) - len(agents)
    told += [_count(others, "other request")] if others else []
    total = Costs()
    for call in agents:
        total.add(call.costs)
    return ", ".join(told) + costs_text(total)


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


# ---- one call --------------------------------------------------------------------------------


def call_members(call: RunCall) -> dict[str, Any]:
    """One call as JSON: `answer` is left out where there is none."""
    told = call.to_json() | {"options": _options(call.request), "sessionId": call.session_id}
    told["worktree"] = None if call.worktree is None else dict(call.worktree)
    told["attempts"] = [
        {
            "number": each.number,
            "began": each.began,
            "ended": each.ended,
            "refused": [answer._asdict() for answer in each.refused],
            "error": each.error,
            **costs_to_json(each.costs),
            "lives": each.lives,
        }
        for each in call.attempts
    ]
    return told if call.value is MISSING else told | {"answer": call.value}


def _options(request: Request) -> Any:
    """What was asked beside the prompt."""
    if isinstance(request, AgentRequest):
        return {} if request.options is MISSING else request.options
    return {name: value for name, value in request._asdict().items() if name != "id" and value is not MISSING}


def call_lines(call: RunCall) -> list[str]:
    """One call for a person: texts of the workflow and of the agent are indented."""
    found = [f"call      {call.id}  {call.kind}", f"state     {call.state}"]
    for name, text in (
        ("label", call.label),
        ("phase", call.phase),
        ("model", call.model),
        ("session", call.session_id),
    ):
        if text:
            found.append(f"{name:<9} {one_line(text, _ERROR)}")
    found += [f"{name:<9} {safe(str(value))}" for name, value in _changes(call)]  # whole, to be copied
    if call.prompt:
        found += ["prompt", *_text(call.prompt)]
    found += ["options", *_text(strictjson.dumps(_options(call.request)))]
    for attempt in call.attempts:
        found += _attempt(attempt)
    if call.error and call.error != (call.attempts[-1].error if call.attempts else None):
        found += ["error", *_text(call.error)]
    if call.value is not MISSING:
        value = call.value
        found += ["answer", *_text(value if isinstance(value, str) else strictjson.dumps(value))]
    return found


def _changes(call: RunCall) -> Iterator[tuple[str, Json]]:
    """Where what an agent changed is kept, and on which branch or in which patch."""
    told = call.worktree or {}
    for name, shown in (("path", "worktree"), ("branch", "branch"), ("patch", "patch")):
        if told.get(name):
            yield shown, told[name]


def _attempt(attempt: CallAttempt) -> Iterator[str]:
    ended = "at work" if attempt.ended is None else length(attempt.ended - attempt.began)
    again = ", interrupted and asked again" if attempt.lives > 1 else ""
    yield f"attempt {attempt.number} {ended}{costs_text(attempt.costs)}{again}"
    for answer in attempt.refused:
        yield f"  refused: {one_line(answer.problem, _ERROR)}"
        yield from _text(answer.text or "")
    if attempt.error:
        yield from ["  error", *_text(attempt.error)]


def _text(text: str) -> list[str]:
    return [f"    {safe(line)}" for line in text.split("\n")]
