"""Runs as spans: who is under whom, what they say, and that every span is closed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from flowcage.agents import AgentUsage, WrongAnswer
from flowcage.host import (
    AgentAnswer,
    AgentCall,
    Host,
    LaunchFailed,
    RequestRejected,
    RunOptions,
    WorkflowFailed,
    run_workflow,
    run_workflow_blocking,
)
from flowcage.host.events.records import (
    AgentCancelled,
    AgentCompleted,
    AgentFailed,
    AgentStarted,
    AnswerRefused,
    ChildStarted,
    Event,
    PhaseEntered,
    RunEnded,
    RunStarted,
)
from flowcage.host.metrics.opentelemetry import MAX_TEXT, spans
from flowcage.host.outcome.verdict import Verdict
from flowcage.host.process.launch.launcher import Spawned
from flowcage.host.workflows.child_workflows import ChildWorkflows

DEADLINE = 300


class Traces:
    """A tracer that counts the spans it starts, and those that were ended."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = provider.get_tracer("tests")
        self._started = 0
        provider.add_span_processor(_Counter(self))

    def count(self) -> None:
        self._started += 1

    @property
    def open(self) -> int:
        """Spans that have not ended."""
        return self._started - len(self._exporter.get_finished_spans())

    def ended(self) -> list[ReadableSpan]:
        """All spans, in the order in which they began; none may be open."""
        ended = self._exporter.get_finished_spans()
        assert len(ended) == self._started
        return sorted(ended, key=lambda span: span.start_time or 0)


class _Counter(SimpleSpanProcessor):
    def __init__(self, traces: Traces) -> None:
        super().__init__(InMemorySpanExporter())
        self._traces = traces

    def on_start(self, span: Any, parent_context: Any = None) -> None:  # noqa: ARG002
        self._traces.count()


async def answer(call: AgentCall) -> AgentAnswer:
    if call.prompt == "bad":
        raise RequestRejected("no \x1b[31m agent\ud800" + "!" * 1_000)
    return AgentAnswer(call.prompt, tokens=7)


def trace(source: str, source_name: str = "workflow.js", **options: Any) -> list[ReadableSpan]:
    traces = Traces()
    given = RunOptions(**{"agent": answer, "listener": spans(traces.tracer), **options})
    run_workflow_blocking(source, source_name=source_name, options=given)
    return traces.ended()


def parents(ended: list[ReadableSpan]) -> dict[str, str | None]:
    names = {span.context.span_id: span.name for span in ended}
    return {span.name: names[span.parent.span_id] if span.parent else None for span in ended}


def test_agents_are_spans_under_their_run() -> None:
    run, agent = trace('phase("Ask"); export default agent("q", {label: "me"})')
    assert parents([run, agent]) == {
        "invoke_workflow workflow.js": None,
        "invoke_agent": "invoke_workflow workflow.js",
    }
    assert run.status.status_code is agent.status.status_code is StatusCode.OK
    assert run.attributes is not None
    assert run.attributes["flowcage.verdict"] == "completed"
    assert [event.name for event in run.events] == ["phase"]
    assert dict(agent.attributes or {}) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.output.type": "text",
        "flowcage.request_id": "1",
        "flowcage.attempt": 1,
        "flowcage.label": "me",
        "flowcage.phase": "Ask",
        "flowcage.tokens": 7,
    }


def test_a_rejected_agent_is_an_error_whose_text_can_be_exported() -> None:
    _run, agent = trace('export default agent("bad").catch(() => 0)')
    assert agent.status.status_code is StatusCode.ERROR
    (event,) = agent.events
    message = str((event.attributes or {})["exception.message"])
    assert message.startswith("no ")
    assert len(message) == MAX_TEXT
    assert not {"\x1b", "\ud800"} & set(message)


def test_each_attempt_is_a_span_and_a_refused_call_an_event_of_the_run() -> None:
    source = """
        await agent("bad", {retry: {maxAttempts: 2, backoffMs: 0}}).catch(() => 0);
        export default agent("one too many").catch(() => 0)"""
    run, *attempts = trace(source, max_total_agents=2)
    assert [(span.attributes or {})["flowcage.attempt"] for span in attempts] == [1, 2]
    assert [event.name for event in run.events] == ["agent refused"]


def test_a_refused_answer_is_an_event_of_its_attempt_and_the_answer_tells_what_it_cost() -> None:
    texts = iter(["one", "2"])

    async def count(_call: AgentCall) -> AgentAnswer:
        text = next(texts)
        if not text.isdigit():
            raise WrongAnswer("not a number", text, usage=AgentUsage(1, 2, 3, 4), cost_usd=0.25)
        return AgentAnswer(int(text), tokens=3, cost_usd=0.5, model="m-1")

    source = 'export default agent("q", {schema: {type: "integer"}, model: "m", provider: "p"})'
    _run, agent = trace(source, agent=count)
    assert agent.status.status_code is StatusCode.OK
    (event,) = agent.events
    assert (event.name, dict(event.attributes or {})) == (
        "answer refused",
        {
            "flowcage.tries": 1,
            "flowcage.tokens": 3,
            "flowcage.cost_usd": 0.25,
            "gen_ai.usage.input_tokens": 8,
            "gen_ai.usage.output_tokens": 2,
            "gen_ai.usage.cache_read.input_tokens": 3,
            "gen_ai.usage.cache_creation.input_tokens": 4,
        },
    )
    assert dict(agent.attributes or {}) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.output.type": "json",
        "gen_ai.request.model": "m",
        "gen_ai.provider.name": "p",
        "gen_ai.response.model": "m-1",
        "flowcage.request_id": "1",
        "flowcage.attempt": 1,
        "flowcage.tokens": 3,
        "flowcage.cost_usd": 0.5,
    }


def test_an_agent_that_is_cancelled_with_its_workflow_ends_its_span_before_the_run_ends() -> None:
    traces = Traces()
    hear, open_spans = spans(traces.tracer), []

    def listen(event: Event) -> None:
        hear(event)
        if isinstance(event, AgentCancelled):
            open_spans.append(traces.open)

    async def never(call: AgentCall) -> AgentAnswer:
        if call.prompt == "quick":
            return AgentAnswer(1)
        await trio.sleep_forever()
        raise AssertionError

    source = 'agent("slow"); export default await agent("quick")'
    run_workflow_blocking(source, options=RunOptions(agent=never, listener=listen))
    _run, slow, _quick = traces.ended()
    assert open_spans == [1]
    assert (slow.status.status_code, slow.status.description) == (
        StatusCode.ERROR,
        "the workflow ended first",
    )


def test_a_child_workflow_is_a_span_under_its_parent_also_when_it_fails(tmp_path: Path) -> None:
    (tmp_path / "kid.js").write_text('export default agent("q")')
    (tmp_path / "bad.js").write_text("not javascript")
    source = """
        await workflow({scriptPath: "bad.js"}).catch(() => 0);
        export default workflow({scriptPath: "kid.js"})"""
    ended = trace(source, str(tmp_path / "w.js"), workflow=ChildWorkflows(tmp_path))
    run, bad, kid, agent = (span.name for span in ended)
    assert "bad.js" in bad
    assert "kid.js" in kid
    assert parents(ended) == {run: None, bad: run, kid: run, agent: kid}
    assert [span.status.status_code for span in ended] == [
        StatusCode.OK,
        StatusCode.ERROR,
        StatusCode.OK,
        StatusCode.OK,
    ]


def every_event(run_id: str, text: str) -> list[Event]:
    """One of each kind, with this in the place of every text that a child may choose."""
    return [
        RunStarted(run_id, 0.0, text),
        ChildStarted(run_id, 0.0, f"{run_id}c", text),
        PhaseEntered(run_id, 0.0, text),
        AgentStarted(run_id, 0.0, text, text, text, text),
        AgentCompleted(run_id, 0.0, text, 0.1, 7, model=text),
        AgentStarted(run_id, 0.0, text, text, text, text),
        AgentFailed(run_id, 0.0, text, 0.1, text),
        AgentFailed(run_id, 0.0, f"{text}?", 0.1, text),
        AgentStarted(run_id, 0.0, text, text, text, text, 1, text, text),
        AnswerRefused(run_id, 0.0, text, 1, 1, text, text),
        AgentCancelled(run_id, 0.0, text, 1),
        AgentStarted(run_id, 0.0, text, text, text, text),
        RunEnded(f"{run_id}c", 0.0, Verdict.FAILED, text),
        RunEnded(run_id, 0.0, Verdict.FAILED, text),
    ]


def test_no_text_of_a_child_is_exported_uncut_or_with_what_steers_a_terminal() -> None:
    traces = Traces()
    listen = spans(traces.tracer)
    for event in every_event("r", "\x9b2J\u202e" + "9" * 1_000_000):
        listen(event)
    ended = traces.ended()
    assert len(ended) == 6
    texts = [span.name for span in ended] + [str(span.status.description) for span in ended]
    for attributes in [span.attributes for span in ended] + [
        event.attributes for span in ended for event in span.events
    ]:
        texts += [str(value) for value in (attributes or {}).values()]
    assert max(map(len, texts)) == MAX_TEXT
    assert not any({"\x9b", "\u202e"} & set(text) for text in texts)


def test_a_failed_run_is_an_error_with_its_verdict() -> None:
    traces = Traces()
    with pytest.raises(WorkflowFailed):
        run_workflow_blocking(
            'agent("q"); throw new Error("boom"); export default 1',
            options=RunOptions(listener=spans(traces.tracer)),
        )
    run = traces.ended()[0]
    assert run.status.status_code is StatusCode.ERROR
    assert "boom" in str(run.status.description)
    assert (run.attributes or {})["flowcage.verdict"] == "failed"


def test_a_run_that_never_started_is_a_span_too() -> None:
    class Broken:
        async def launch(self) -> Spawned:
            raise LaunchFailed("no processes are left")

        def distrust(self) -> None:
            pass

    traces = Traces()
    with pytest.raises(LaunchFailed):
        run_workflow_blocking(
            "export default 1", options=RunOptions(launcher=Broken(), listener=spans(traces.tracer))
        )
    (run,) = traces.ended()
    assert (run.attributes or {})["flowcage.verdict"] == "not_started"


def in_trio(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        with trio.fail_after(DEADLINE):
            await test()

    trio.run(bounded)


def test_cancelling_closes_the_spans_of_the_run_and_of_agents_at_work(tmp_path: Path) -> None:
    traces, at_work = Traces(), trio.Event()
    (tmp_path / "kid.js").write_text('export default agent("q")')

    async def never(_call: AgentCall) -> AgentAnswer:
        at_work.set()
        await trio.sleep_forever()
        raise AssertionError

    async def test() -> None:
        options = RunOptions(agent=never, workflow=ChildWorkflows(tmp_path), listener=spans(traces.tracer))
        async with trio.open_nursery() as nursery:
            source = 'export default workflow({scriptPath: "kid.js"})'
            name = str(tmp_path / "w.js")
            nursery.start_soon(partial(run_workflow, source, source_name=name, options=options))
            await at_work.wait()
            nursery.cancel_scope.cancel()

    in_trio(test)
    run, kid, agent = traces.ended()
    assert {span.status.status_code for span in (run, kid, agent)} == {StatusCode.ERROR}
    assert (run.attributes or {})["flowcage.verdict"] == "cancelled"
    assert agent.status.description == "the workflow ended first"


def test_runs_of_a_host_are_under_the_span_that_is_current_where_they_were_asked_for() -> None:
    traces = Traces()

    async def test() -> None:
        async with Host(options=RunOptions(listener=spans(traces.tracer))) as host:

            async def ask(name: str) -> None:
                with traces.tracer.start_as_current_span(f"request {name}"):
                    await host.run("export default SW.extra.sleep(10)", source_name=name)
                    async with host.open_run("export default 1", source_name=f"live {name}") as run:
                        await run.outcome()

            async with trio.open_nursery() as nursery:
                for name in ("a", "b"):
                    nursery.start_soon(ask, name)

    in_trio(test)
    tenants = [(span.attributes or {}).get("flowcage.tenant") for span in traces.ended()]
    assert tenants.count("default") == 4
    assert parents(traces.ended()) == {
        "request a": None,
        "request b": None,
        "invoke_workflow a": "request a",
        "invoke_workflow b": "request b",
        "invoke_workflow live a": "request a",
        "invoke_workflow live b": "request b",
    }
