"""Requests: what a workflow asks of its host, how they are handed out and how they are settled."""

from __future__ import annotations

from typing import Any

import pytest

from .child_process import ChildProcess, Refused


def requests_of(child: ChildProcess, source: str) -> list[dict[str, Any]]:
    child.start(f"{source}\nexport default 1;")
    return child.take()


def test_agent_sends_its_prompt_and_options(child: ChildProcess) -> None:
    requests = requests_of(child, 'agent("hi", { label: "l", schema: { type: "object" } });')
    options = {"label": "l", "schema": {"type": "object"}}
    assert requests == [{"type": "agent", "id": "1", "prompt": "hi", "options": options}]


@pytest.mark.parametrize("options", ["", ", undefined", ", null", ", {}", ", { gone: undefined }"])
def test_options_that_say_nothing_are_omitted(child: ChildProcess, options: str) -> None:
    requests = requests_of(child, f'agent("hi"{options});')
    assert requests == [{"type": "agent", "id": "1", "prompt": "hi"}]


@pytest.mark.parametrize("options", ["", ", undefined", ", null", ", {}", ", { phase: undefined }"])
def test_a_phase_fills_options_that_name_none(child: ChildProcess, options: str) -> None:
    requests = requests_of(child, f'phase("draft");\nagent("hi"{options});')
    assert requests[0]["options"] == {"phase": "draft"}


def test_a_phase_joins_the_other_options(child: ChildProcess) -> None:
    requests = requests_of(child, 'phase("draft");\nagent("hi", { label: "l" });')
    assert requests[0]["options"] == {"label": "l", "phase": "draft"}


@pytest.mark.parametrize(("given", "kept"), [('"own"', "own"), ("null", None), ('""', "")])
def test_a_phase_option_of_its_own_is_kept(child: ChildProcess, given: str, kept: str | None) -> None:
    requests = requests_of(child, f'phase("draft");\nagent("hi", {{ phase: {given} }});')
    assert requests[0]["options"] == {"phase": kept}


def test_a_phase_from_own_tojson_is_kept_and_named_once(child: ChildProcess) -> None:
    source = 'phase("draft");\nagent("hi", { toJSON: () => ({ phase: "own" }) });'
    assert requests_of(child, source)[0]["options"] == {"phase": "own"}


def test_a_phase_that_json_drops_is_none(child: ChildProcess) -> None:
    requests = requests_of(child, 'phase("draft");\nagent("hi", { label: "l", get phase() {} });')
    assert requests[0]["options"] == {"label": "l", "phase": "draft"}


def test_a_later_phase_does_not_touch_a_queued_request(child: ChildProcess) -> None:
    requests = requests_of(child, 'agent("0"); phase("a"); agent("1"); phase("b"); agent("2"); phase("c");')
    assert [request.get("options") for request in requests] == [None, {"phase": "a"}, {"phase": "b"}]


def test_options_are_read_at_the_call(child: ChildProcess) -> None:
    requests = requests_of(child, 'const o = { n: 1 };\nagent("a", o);\no.n = 2;\nagent("b", o);')
    assert [request["options"] for request in requests] == [{"n": 1}, {"n": 2}]


def test_the_options_object_itself_is_left_alone(child: ChildProcess) -> None:
    child.start('phase("p");\nconst o = {};\nagent("a", o);\nexport default Object.keys(o);')
    assert child.drain()["output"] == {"result": []}


@pytest.mark.parametrize(
    "call",
    ["agent()", "agent(undefined)", "agent({ prompt: 'x' })", "agent(5)", "workflow()", "workflow({})"],
)
def test_a_call_without_its_text_is_a_type_error(child: ChildProcess, call: str) -> None:
    source = f"try {{ {call}; }} catch (e) {{ log(e.name); }}\nexport default 1;"
    child.start(source)
    drained = child.drain()
    assert drained["calls"] == [{"type": "log", "values": ["TypeError"]}]
    assert drained["requests"] == []


@pytest.mark.parametrize(
    ("call", "members"),
    [
        ('workflow("name")', {"ref": "name"}),
        ('workflow("name", undefined)', {"ref": "name"}),
        ('workflow("name", null)', {"ref": "name", "args": None}),
        ('workflow("name", {})', {"ref": "name", "args": {}}),
        ('workflow("name", [1])', {"ref": "name", "args": [1]}),
        ('workflow({ scriptPath: "./b.js" }, { a: 1 })', {"ref": {"scriptPath": "./b.js"}, "args": {"a": 1}}),
    ],
)
def test_workflow_sends_its_ref_and_the_args_it_was_given(
    child: ChildProcess, call: str, members: dict[str, Any]
) -> None:
    assert requests_of(child, f"{call};") == [{"type": "workflow", "id": "1", **members}]


def test_sandbox_exec_sends_profile_and_request(child: ChildProcess) -> None:
    request = {"command": "ls", "args": ["-l"], "cwd": "/x", "env": {"A": "b"}, "stdin": "in"}
    child.start("SW.sandbox.exec('default', args);\nexport default 1;", args=request)
    assert child.take() == [{"type": "sandbox_exec", "id": "1", "profile": "default", "request": request}]


def test_sandbox_exec_omits_what_was_not_given(child: ChildProcess) -> None:
    requests = requests_of(child, 'import { exec } from "workflow:sandbox";\nexec("p", { command: "ls" });')
    assert requests[0]["request"] == {"command": "ls"}


def test_ids_are_shared_by_all_kinds(child: ChildProcess) -> None:
    source = (
        'agent("a"); workflow("w"); SW.extra.sleep(1); SW.sandbox.exec("p", { command: "c" }); agent("b");'
    )
    requests = requests_of(child, source)
    assert [(request["id"], request["type"]) for request in requests] == [
        ("1", "agent"),
        ("2", "workflow"),
        ("3", "sleep"),
        ("4", "sandbox_exec"),
        ("5", "agent"),
    ]


def test_poll_reports_calls_then_the_oldest_request_then_completion(child: ChildProcess) -> None:
    child.start('agent("a"); log(1); agent("b"); log(2);\nexport default 3;')
    events = [child.poll(), child.poll(), child.poll()]
    assert [event.get("call", {}).get("values") for event in events] == [[1], [2], None]
    assert events[2] == {"type": "request", "request": {"type": "agent", "id": "1", "prompt": "a"}}
    child.resolve("1", None)
    assert child.poll()["request"]["id"] == "2"
    child.resolve("2", None)
    assert child.poll() == {"type": "complete", "output": {"result": 3}}


def test_poll_repeats_a_request_until_it_is_taken(child: ChildProcess) -> None:
    child.start('export default await agent("a");')
    assert child.poll() == child.poll()
    assert [request["id"] for request in child.take()] == ["1"]
    assert child.poll() == {"type": "pending", "stalled": False}


def test_poll_repeats_a_request_until_it_is_resolved(child: ChildProcess) -> None:
    child.start('export default await agent("a");')
    assert child.poll()["type"] == child.poll()["type"] == "request"
    child.resolve("1", "done")
    assert child.poll() == {"type": "complete", "output": {"result": "done"}}


def test_poll_repeats_completion(child: ChildProcess) -> None:
    child.start("export default { a: 1 };")
    assert child.poll() == child.poll() == {"type": "complete", "output": {"result": {"a": 1}}}


def test_a_call_made_while_resuming_comes_before_an_older_request(child: ChildProcess) -> None:
    child.start('agent("never taken"); await agent("b"); log("resumed");\nexport default 1;')
    assert child.poll()["request"]["id"] == "1"
    child.resolve("2", None)
    assert child.poll() == {"type": "call", "call": {"type": "log", "values": ["resumed"]}}
    assert child.poll()["request"]["id"] == "1"


def test_take_hands_out_each_request_once(child: ChildProcess) -> None:
    child.start('agent("a"); agent("b");\nexport default await agent("c");')
    assert [request["id"] for request in child.take()] == ["1", "2", "3"]
    assert child.take() == []


def test_take_leaves_calls_for_poll(child: ChildProcess) -> None:
    child.start('log("x"); export default await agent("a");')
    assert len(child.take()) == 1
    assert child.poll()["call"]["values"] == ["x"]


def test_drain_hands_out_calls_and_requests_once_and_says_that_it_waits(child: ChildProcess) -> None:
    child.start('log("x"); export default await agent("a");')
    assert child.drain() == {
        "calls": [{"type": "log", "values": ["x"]}],
        "requests": [{"type": "agent", "id": "1", "prompt": "a"}],
        "state": "pending",
    }
    assert child.drain() == {"calls": [], "requests": [], "state": "pending"}


def test_un_awaited_requests_are_reported_before_completion(child: ChildProcess) -> None:
    child.start('agent("left behind");\nexport default "done";')
    assert child.poll()["type"] == "request"
    assert len(child.take()) == 1
    assert child.poll() == {"type": "complete", "output": {"result": "done"}}


def test_a_drain_that_completes_still_hands_out_un_awaited_requests(child: ChildProcess) -> None:
    child.start('agent("left behind");\nexport default "done";')
    drained = child.drain()
    assert [request["prompt"] for request in drained["requests"]] == ["left behind"]
    assert (drained["state"], drained["output"]) == ("complete", {"result": "done"})


@pytest.mark.parametrize("value", [None, False, 0, "", "text", [1, [2]], {"a": {"then": 1}}, "\ud800"])
def test_an_answer_arrives_as_the_value_it_was(child: ChildProcess, value: Any) -> None:
    child.start('const answer = await agent("a");\nexport default [typeof answer, answer];')
    child.drain()
    child.resolve("1", value)
    assert child.result()[1] == value


def test_ok_undefined_arrives_as_undefined(child: ChildProcess) -> None:
    child.start('export default [await agent("a") === undefined];')
    child.drain()
    child.settle("1", {"type": "ok_undefined"})
    assert child.result() == [True]


def test_an_error_arrives_as_an_error_with_its_message(child: ChildProcess) -> None:
    child.start(
        "const shown = (e) => [e instanceof Error, e.constructor === Error, e.message];"
        'export default await agent("a").catch(shown);'
    )
    child.drain()
    child.settle("1", {"type": "error", "message": "no such model"})
    assert child.result() == [True, True, "no such model"]


def test_an_uncaught_error_answer_ends_the_run_with_its_message(child: ChildProcess) -> None:
    child.start('export default () => agent("a");')
    child.drain()
    child.settle("1", {"type": "error", "message": "no such model"})
    failure = child.failure()
    assert (failure.kind, failure.message) == ("exception", "workflow module rejected: no such model")


def test_a_request_resolved_before_it_is_taken_is_not_handed_out(child: ChildProcess) -> None:
    child.start('export default await Promise.all([agent("a"), agent("b")]);')
    assert child.poll()["request"]["id"] == "1"
    child.resolve("1", "early")
    assert [request["id"] for request in child.take()] == ["2"]
    child.resolve("2", "late")
    assert child.result() == ["early", "late"]


def test_requests_may_be_resolved_in_any_order(child: ChildProcess) -> None:
    child.start('export default await Promise.all([agent("a"), agent("b"), agent("c")]);')
    child.drain()
    for identifier in ("3", "1", "2"):
        child.resolve(identifier, f"answer {identifier}")
    assert child.result() == ["answer 1", "answer 2", "answer 3"]


def test_an_object_answer_is_the_workflows_own_to_change(child: ChildProcess) -> None:
    child.start('const a = await agent("a");\na.b.push(2);\nexport default a;')
    child.drain()
    child.resolve("1", {"b": [1]})
    assert child.result() == {"b": [1, 2]}


UNKNOWN = ["2", "0", "", "1.0", "toString", "__proto__", "constructor", "\ud800", "1\udfff", "1\0"]


@pytest.mark.parametrize("identifier", UNKNOWN)
def test_resolving_an_unknown_request_is_refused_and_changes_nothing(
    child: ChildProcess, identifier: str
) -> None:
    child.start('export default await agent("a");')
    child.drain()
    with pytest.raises(Refused) as caught:
        child.resolve(identifier, 1)
    assert caught.value.kind == "unknown_request"
    assert caught.value.message == f"unknown workflow request id: {identifier}"
    child.resolve("1", "fine")
    assert child.result() == "fine"


def test_resolving_twice_is_refused_the_second_time(child: ChildProcess) -> None:
    child.start('export default await agent("a");')
    child.drain()
    child.resolve("1", "first")
    with pytest.raises(Refused, match="unknown workflow request id: 1"):
        child.resolve("1", "second")
    assert child.result() == "first"


def test_a_request_can_not_be_resolved_before_it_was_made(child: ChildProcess) -> None:
    child.start('export default await agent("a");')
    with pytest.raises(Refused, match="unknown workflow request id: 1"):
        child.resolve("1", "early")
    assert child.poll()["request"]["id"] == "1"


def test_resolving_an_outstanding_request_after_completion_is_fine(child: ChildProcess) -> None:
    child.start('agent("a").then(() => log("never"));\nexport default 1;')
    assert child.drain()["state"] == "complete"
    child.resolve("1", None)
    with pytest.raises(Refused, match="unknown workflow request id: 1"):
        child.resolve("1", None)
    assert child.poll() == {"type": "complete", "output": {"result": 1}}


@pytest.mark.parametrize("source", ["export default new Promise(() => {});", "await new Promise(() => {});"])
def test_a_run_that_waits_for_nothing_is_stalled(child: ChildProcess, source: str) -> None:
    child.start(source)
    assert child.poll() == {"type": "pending", "stalled": True}
    drained = child.drain()
    assert (drained["state"], drained["stalled"]) == ("pending", True)


def test_a_run_is_stalled_only_once_its_requests_are_settled(child: ChildProcess) -> None:
    child.start('agent("a");\nexport default new Promise(() => {});')
    assert "stalled" not in child.drain()
    assert child.poll() == {"type": "pending", "stalled": False}
    child.resolve("1", None)
    assert child.poll() == {"type": "pending", "stalled": True}


def test_a_stalled_run_hands_out_its_calls_in_the_same_drain(child: ChildProcess) -> None:
    child.start('log("last words");\nexport default new Promise(() => {});')
    drained = child.drain()
    assert [call["values"] for call in drained["calls"]] == [["last words"]]
    assert drained["stalled"] is True
