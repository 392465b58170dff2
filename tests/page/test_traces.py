"""A run as a trace of Chrome's, and as spans of OpenTelemetry."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trio

from flowcage.host import AgentAnswer, AgentCall
from flowcage.host.page.formats.otlp import otlp
from flowcage.host.page.formats.perfetto import perfetto

from ..resume.kept_runs import record_of
from ..resume.lives import first_life, options
from .documents import HOSTILE, of_text
from .pages import page_of


def slices(trace: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in trace["traceEvents"] if each["ph"] == "X"]


def spans_of(document: dict[str, Any], **given: Any) -> list[dict[str, Any]]:
    (resource,) = otlp(document, **given)["resourceSpans"]
    (scope,) = resource["scopeSpans"]
    return list(scope["spans"])


def attributes(span: dict[str, Any]) -> dict[str, Any]:
    return {each["key"]: next(iter(each["value"].values())) for each in span["attributes"]}


def by_call(document: dict[str, Any], **given: Any) -> dict[str, dict[str, Any]]:
    return {attributes(each).get("flowcage.call_id", ""): each for each in spans_of(document, **given)}


def test_slices_of_a_thread_do_not_overlap() -> None:
    trace = perfetto(of_text("a"))

    threads: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for each in slices(trace):
        threads.setdefault((each["pid"], each["tid"]), []).append(each)
    assert len(threads) > 2
    for found in threads.values():
        calls = [each for each in found if each["cat"] != "attempt"]
        for one, other in pairwise(sorted(calls, key=lambda each: each["ts"])):
            assert one["ts"] + one["dur"] <= other["ts"]


def test_each_thread_and_process_of_a_trace_has_a_name() -> None:
    trace = perfetto(of_text("a"))["traceEvents"]

    named = {(each["name"], each["pid"], each["tid"]) for each in trace if each["ph"] == "M"}
    for each in trace:
        assert ("process_name", each["pid"], 0) in named
        if each["ph"] in "Xisf":
            assert ("thread_name", each["pid"], each["tid"]) in named
    times = [each["ts"] for each in trace if each["ph"] != "M"]
    assert times == sorted(times)
    assert all(type(each) is int and each >= 0 for each in times)


def test_a_call_of_a_workflow_leads_to_its_first_call() -> None:
    trace = perfetto(of_text("a"))["traceEvents"]

    flows = [each for each in trace if each["ph"] in "sf"]
    begins = {(each["pid"], each["tid"], each["ts"]) for each in trace if each["ph"] == "X"}
    assert [each["ph"] for each in flows] == ["s", "f"]
    assert all((each["pid"], each["tid"], each["ts"]) in begins for each in flows)


def test_what_waits_and_works_is_counted_back_to_nothing() -> None:
    trace = perfetto(of_text("a"))["traceEvents"]

    counted = [each["args"] for each in trace if each["ph"] == "C" and each["name"] == "agents"]
    assert counted[-1] == {"at work": 0, "queued": 0}
    assert min(min(each.values()) for each in counted) >= 0
    assert max(each["at work"] for each in counted) == 3


def test_spans_are_one_tree_with_ids_that_stay() -> None:
    spans = spans_of(of_text("a"))

    assert spans == spans_of(of_text("a") | {"asOf": "another"})
    ids = Counter(each["spanId"] for each in spans)
    assert set(ids.values()) == {1}
    assert {len(each) for each in ids} == {16}
    assert {len(each["traceId"]) for each in spans} == {32}
    roots = [each for each in spans if "parentSpanId" not in each]
    assert [each["name"] for each in roots] == ["invoke_workflow a"]
    assert all(each["parentSpanId"] in ids for each in spans if each not in roots)
    for each in spans:
        assert 0 < int(each["startTimeUnixNano"]) <= int(each["endTimeUnixNano"])
    other = of_text("a")
    other["run"]["id"] = "other"
    assert not {each["traceId"] for each in spans_of(other)} & {each["traceId"] for each in spans}


def test_spans_have_the_names_of_the_conventions() -> None:
    page = of_text("a")
    found = by_call(page)

    agent = attributes(found["1"])
    assert agent["gen_ai.operation.name"] == "invoke_agent"
    assert (agent["gen_ai.request.model"], agent["flowcage.label"], agent["gen_ai.output.type"]) == (
        "a",
        "a",
        "json",
    )
    assert (agent["flowcage.tokens"], agent["flowcage.cost_usd"]) == ("4", 0.5)
    assert found["2"]["status"] == {"code": 2, "message": "a"}
    assert attributes(found["2"])["error.type"] == "agent_failed"
    assert attributes(found["3"])["gen_ai.operation.name"] == "invoke_workflow"
    assert found["3/1"]["parentSpanId"] == found["3"]["spanId"]
    assert "gen_ai.input.messages" not in agent
    told = json.loads(attributes(by_call(page, full=True)["1"])["gen_ai.input.messages"])
    assert told == [{"role": "user", "parts": [{"type": "text", "content": "a"}]}]


def test_spans_have_no_words_of_prompts_and_answers_unless_all_is_asked_for(tmp_path: Path) -> None:
    source = """log('SECRET');
    export default await agent('SECRET', {schema: {type: 'number'}}).catch(() => null)"""

    async def agent(_call: AgentCall) -> AgentAnswer:
        return AgentAnswer("SECRET")

    async def main() -> None:
        await first_life(tmp_path / "runs.db", options(agent), source)

    trio.run(main)
    page = page_of(record_of(tmp_path / "runs.db"))

    assert "SECRET" not in json.dumps(otlp(page))
    assert json.dumps(otlp(page, full=True)).count("SECRET") >= 3


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_pass_as_texts(text: str) -> None:
    page = of_text(text)

    for each in slices(perfetto(page)):
        assert "\x1b" not in json.dumps(each, ensure_ascii=False)
        assert "\u202e" not in json.dumps(each, ensure_ascii=False)
    for span in spans_of(page):
        assert "\n" not in span["name"]
        assert "\u202e" not in json.dumps(span, ensure_ascii=False)
