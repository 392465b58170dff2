"""A plan as text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from flowcage.host.graph.words import call_title, one_line
from flowcage.host.plan.plan import Placed, Plan, block_words
from flowcage.host.terminal.text import cut

_MAX_ROWS = 200
_MAX_LINES = 20
_WIDEST = 44


@dataclass
class _Row:
    """Calls of one place, or of one label."""

    phase: str
    title: str
    who: str
    calls: list[Placed] = field(default_factory=list)


def table(plan: Plan, name: str) -> str:
    """The plan, with a line's end at its end.

    Args:
        plan: it.
        name: of the workflow, as the user typed it.
    """
    lines = [_head(plan, name), "", *_rows(plan), *_remarks(plan), "", *_estimate(plan), *_bounds(plan)]
    return "\n".join(lines) + "\n"


def _head(plan: Plan, name: str) -> str:
    calls, phases = len(plan.calls), len(plan.found.recorder.phases)
    workflows = len(plan.found.recorder.workflows) - 1
    below = f", with {_many(workflows, 'child workflow')}" if workflows > 0 else ""
    return (
        f"plan of {one_line(name)}: {_many(calls, 'agent call')} in {_many(phases, 'phase')}{below}; "
        "the answers are made up, and nobody was asked"
    )


def _rows(plan: Plan) -> Iterator[str]:
    found: dict[tuple[object, ...], _Row] = {}
    for each in plan.calls:
        row = _row(each)
        place = None if each.place is None else (each.place.line, each.place.column)
        found.setdefault((each.workflow, row.phase, place, row.title, row.who), row).calls.append(each)
    order = list(dict.fromkeys(row.phase for row in found.values()))
    rows = sorted(found.values(), key=lambda row: order.index(row.phase))
    shown = rows[:_MAX_ROWS]
    cells = [("phase", "call", "count", "agent and model", "prompt tokens", "cost"), *map(_cells, shown)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(cells[0]))]
    for line in cells if rows else ():
        padded = (
            cell.rjust(width) if at in (2, 4, 5) else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        yield f"  {'  '.join(padded)}".rstrip()
    if len(rows) > len(shown):
        yield f"  … and {len(rows) - len(shown)} rows more (--json has all)"


def _row(each: Placed) -> _Row:
    call = each.call
    title = (
        call_title(each.place) if each.place is not None else one_line(call.label or call.prompt) or "agent"
    )
    who = ":".join(one_line(part) for part in (call.agent, call.model) if part)
    if call.is_followed and call.model is None and call.cost_usd is None:
        who = f"{who} (its own model)"
    told = [who or "-", *(one_line(part) for part in (call.effort, call.agent_type, call.isolation) if part)]
    return _Row(one_line(call.phase or ""), cut(title, _WIDEST), cut(" ".join(told), _WIDEST))


def _cells(row: _Row) -> tuple[str, ...]:
    calls = [each.call for each in row.calls]
    sizes = [call.input_tokens for call in calls]
    least, most = min(sizes), max(sizes)
    costs = [call.cost_usd for call in calls if call.is_followed]
    mark = "?" if any(each.varies for each in row.calls) else ""
    refused = "!" if any(call.refused is not None for call in calls) else ""
    return (
        cut(row.phase, 24),
        row.title,
        f"{refused}{mark}{len(calls)}",
        row.who,
        f"~{least:,}" if least == most else f"~{least:,}-{most:,}",
        "-" if not costs else "unknown" if None in costs else _usd(sum(cost or 0.0 for cost in costs)),
    )


def _remarks(plan: Plan) -> Iterator[str]:
    varies = plan.varies()
    if varies:
        yield ""
        yield "? depends on answers, so that a real run makes fewer of these calls, or more:"
        for name, block in varies[:_MAX_LINES]:
            yield f"    {one_line(name)}:{block.line}  {block_words(block)}"
    unreached = [(name, call) for name in plan.outlines for call in plan.unreached(name)]
    if unreached:
        yield ""
        yield "not reached with these answers:"
        for name, call in unreached[:_MAX_LINES]:
            yield f"    {one_line(name)}:{call.line}  {call_title(call)}"
    yield from _refused(plan)
    recorder = plan.found.recorder
    if recorder.questions:
        yield ""
        yield f"{_many(len(recorder.questions), 'question')} for a person:"
        yield from (f"    {cut(one_line(question), 100)}" for question in recorder.questions[:_MAX_LINES])
    if recorder.sleep_ms:
        yield ""
        yield f"sleep() would wait {recorder.sleep_ms / 1000:,g} s in all, which the plan skipped"


def _refused(plan: Plan) -> Iterator[str]:
    found: dict[str, int] = {}
    for each in plan.calls:
        if each.call.refused is not None:
            reason = cut(one_line(each.call.refused), 300)
            found[reason] = found.get(reason, 0) + 1
    if found:
        yield ""
        yield "! would have no answer:"
        for reason, count in list(found.items())[:_MAX_LINES]:
            yield f"    {_many(count, 'call')}: {reason}"
    if plan.notes:
        yield ""
        yield from (f"note: {one_line(each)}" for each in plan.notes[:_MAX_LINES])


def _estimate(plan: Plan) -> Iterator[str]:
    asked = plan.asked
    read, written = sum(call.input_tokens for call in asked), sum(call.output_tokens for call in asked)
    cost = plan.cost_usd
    told = (
        "the cost is not known, as some model or its price is not" if cost is None else f"about {_usd(cost)}"
    )
    yield (
        f"estimate: {_many(len(asked), 'answer')}, {_many(read, 'token')} read and {written:,} written, "
        f"{told}. It reckons with {plan.assumptions.output_tokens:,} tokens an answer, arrays of "
        f"{plan.assumptions.items}, and each prompt read once; agents that use tools need a multiple"
    )


def _bounds(plan: Plan) -> Iterator[str]:
    options = plan.options
    most = f"{options.max_total_agents:,}"
    yield (
        f"upper bound: these calls ask agents at most {_many(plan.most_asks, 'time')}, with retries and "
        f"second answers; any run asks at most {most} times (--max-total-agents), {options.max_agents} at "
        "once (--max-agents)"
    )
    if options.max_cost_usd is not None:
        yield (
            f"no agent is asked once {_usd(options.max_cost_usd)} are spent (--max-cost); what is at work "
            "then may go beyond"
        )
    elif plan.asked and plan.bound_usd == 0:
        yield "nobody bills these answers"
    elif plan.asked and plan.bound_usd is not None:
        yield (
            f"with {most} answers as dear as the dearest one here a run would cost {_usd(plan.bound_usd)}, "
            "under the same assumptions; --max-cost USD sets a ceiling that holds"
        )
    else:
        yield "nothing bounds the cost; --max-cost USD sets a ceiling"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _usd(cost: float) -> str:
    return f"${cost:,.2f}" if cost >= 0.1 or cost == 0 else f"${cost:.4f}"
