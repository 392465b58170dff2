"""Who is in which trace: handlers, programs, providers, and a command that was started in one."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import trio
from opentelemetry import trace as otel
from opentelemetry.sdk.trace import ReadableSpan

from flowcage.agents import AgentAnswer, AgentCall, AgentError, parse_agent
from flowcage.host import RunOptions, WorkflowRequest, run_workflow_blocking
from flowcage.host.agents.trace import traced
from flowcage.host.cli.operating.tracing import exporter_of
from flowcage.host.metrics.opentelemetry import spans

from ..agents.conftest import keys as keys
from ..agents.http_agents import ANTHROPIC, OLLAMA
from ..e2e.command import flowcage
from .test_opentelemetry import Traces, parents

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_PROGRAM = "import os; print(*map(os.environ.get, ('TRACEPARENT', 'TRACESTATE')))"
PRINTS = f'command:{sys.executable} -c "{_PROGRAM}"'


def ids(span: ReadableSpan) -> str:
    """As a traceparent names it."""
    context = span.context
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def test_spans_of_a_handler_are_under_the_span_of_its_call_and_of_no_other() -> None:
    traces = Traces()
    both = trio.Event()
    at_work = 0

    async def agent(call: AgentCall) -> AgentAnswer:
        nonlocal at_work
        with traces.tracer.start_as_current_span(f"handler {call.prompt} {call.attempt}"):
            at_work += 1
            if at_work == 2:
                both.set()
            if call.attempt == 1 and call.prompt in ("a", "b"):
                await both.wait()
                raise AgentError("again")
            return AgentAnswer(1)

    async def workflow(_caller: object, _request: WorkflowRequest) -> int:
        with traces.tracer.start_as_current_span("handler of workflow"):
            return 1

    source = """
    const retry = {maxAttempts: 2, backoffMs: 0};
    await Promise.all([agent("a", {retry, agentType: "A"}), agent("b", {retry, agentType: "B"})]);
    await agent("c", {agentType: "C"});
    await workflow("w");
    export default 1"""
    options = RunOptions(agent=agent, workflow=workflow, listener=spans(traces.tracer))
    run_workflow_blocking(source, options=options)
    root = "invoke_workflow workflow.js"
    assert parents(traces.ended()) == {
        root: None,
        **{f"invoke_agent {name}": root for name in "ABC"},
        **{f"handler {name} {tries}": f"invoke_agent {name.upper()}" for name in "ab" for tries in (1, 2)},
        "handler c 1": "invoke_agent C",
        "handler of workflow": None,
    }
    assert not otel.get_current_span().get_span_context().is_valid


def test_a_program_finds_the_trace_of_its_call_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEPARENT", PARENT)
    monkeypatch.setenv("TRACESTATE", "outer=1")
    traces = Traces()
    options = RunOptions(agent=parse_agent(PRINTS), listener=spans(traces.tracer))
    told = run_workflow_blocking('export default agent("q")', options=options).result
    _run, agent = traces.ended()
    assert told == f"{ids(agent)} None"
    assert (
        run_workflow_blocking(
            'export default agent("q")', options=RunOptions(agent=parse_agent(PRINTS))
        ).result
        == f"{PARENT} outer=1"
    )


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("provider", [ANTHROPIC, OLLAMA], ids=lambda provider: provider.name)
def test_a_provider_gets_the_trace_of_the_call_as_a_header_and_is_named_in_its_span(
    monkeypatch: pytest.MonkeyPatch, provider: object
) -> None:
    assert isinstance(provider, type(ANTHROPIC))
    traces = Traces()
    with provider.server() as server:
        variable = {"anthropic": "ANTHROPIC_BASE_URL", "ollama": "OLLAMA_HOST"}[provider.name]
        monkeypatch.setenv(variable, server.url)
        agent = parse_agent(f"{provider.name}:m")
        options = RunOptions(agent=agent, listener=spans(traces.tracer))
        run_workflow_blocking('export default agent("q")', options=options)
        run_workflow_blocking('export default agent("q")', options=RunOptions(agent=agent))
        traced, untraced = server.requests
    _run, span = traces.ended()
    assert traced.headers["traceparent"] == ids(span)
    assert {"traceparent", "tracestate"} & set(untraced.headers) == set()
    assert (span.attributes or {})["gen_ai.provider.name"] == provider.name


def test_a_command_started_in_a_trace_makes_its_spans_under_it(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text('return await agent("q")')
    variables = {"TRACEPARENT": PARENT, "OTEL_TRACES_EXPORTER": "console", "OTEL_SERVICE_NAME": "mine"}
    finished = flowcage("run", tmp_path / "w.js", "--agent", PRINTS, "--quiet", "--no-store", env=variables)
    assert finished.status == 0
    told = [json.loads(line) for line in finished.stderr.splitlines()]
    assert {each["type"] for each in told} == {"span"}
    made = {span["name"]: span for span in told}
    run, agent = made["invoke_workflow w.js"], made["invoke_agent"]
    trace_id, parent_id = PARENT.split("-")[1:3]
    assert run["context"]["trace_id"] == f"0x{trace_id}"
    assert run["parent_id"] == f"0x{parent_id}"
    assert agent["parent_id"] == run["context"]["span_id"]
    assert run["resource"]["attributes"]["service.name"] == "mine"
    passed_on = finished.json["result"].split()[0]
    assert passed_on.split("-")[1:3] == [trace_id, agent["context"]["span_id"].removeprefix("0x")]


@pytest.mark.parametrize(
    ("parent", "state", "passed_on"),
    [
        (PARENT, "a=1", {"TRACEPARENT": PARENT, "TRACESTATE": "a=1"}),
        (PARENT, "a=1\nb", {"TRACEPARENT": PARENT}),
        (f"{PARENT}\nX-Other: 1", "a=1", {}),
        (PARENT.replace("00-", "ff-", 1), "a=1", {}),
        ("00-" + "a" * 60_000, "", {}),
    ],
)
def test_programs_get_no_variables_that_name_no_trace(
    parent: str, state: str, passed_on: dict[str, str]
) -> None:
    given = {"TRACEPARENT": parent, "TRACESTATE": state, "HOME": "/h"}
    assert traced(given) == {"HOME": "/h", **passed_on}


class _Collector(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.paths.append(self.path)  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        pass


@contextmanager
def collector() -> Iterator[tuple[str, list[str]]]:
    """Takes spans by OTLP; where it is, and the paths of requests."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Collector)
    paths: list[str] = []
    server.paths = paths  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", paths
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_spans_of_a_command_go_where_the_variables_say(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text("return 1")
    with collector() as (url, paths):
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": url}
        finished = flowcage("run", tmp_path / "w.js", "--quiet", "--no-store", env=variables)
    assert (finished.status, finished.stderr, paths) == (0, "", ["/v1/traces"])


def test_a_collector_that_is_not_there_is_told_in_a_line_and_ends_no_run(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text("return 1")
    with collector() as (url, _paths):
        pass
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": url}
    finished = flowcage("run", tmp_path / "w.js", "--quiet", "--no-store", env=variables)
    assert (finished.status, finished.json["result"]) == (0, 1)
    assert finished.stderr.startswith("flowcage: warning: spans could not be exported")
    assert finished.stderr.count("\n") == 1


def test_spans_that_cannot_be_made_end_no_run(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text("return 1")
    variables = {"OTEL_TRACES_EXPORTER": "zipkin"}
    finished = flowcage("run", tmp_path / "w.js", "--quiet", "--no-store", env=variables)
    assert finished.status == 0
    assert finished.stderr.startswith("flowcage: warning: no spans are made: OTEL_TRACES_EXPORTER=zipkin")


@pytest.mark.parametrize(
    ("variables", "exporter"),
    [
        ({}, None),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://h"}, None),
        ({"OTEL_TRACES_EXPORTER": "console"}, "console"),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "otlp"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://h"}, "otlp"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h", "OTEL_SDK_DISABLED": "TRUE"}, None),
    ],
)
def test_spans_are_made_where_the_variables_ask_for_them(
    variables: dict[str, str], exporter: str | None
) -> None:
    assert exporter_of(variables) == exporter
