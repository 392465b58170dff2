"""A client starts runs and answers what they ask."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from .peer import Piped, descendants, piped

ASK = "return await agent('Who?', args.options).catch(error => `${error.message}`)"


@pytest.fixture(scope="module")
def host() -> Iterator[Piped]:
    """One host for many runs: a child costs less than an interpreter."""
    with piped() as peer:
        peer.greet(handlers=["agent", "workflow", "sandboxExec", "ask"], events=True)
        yield peer


def start(peer: Piped, source: str, args: Any = None, **more: Any) -> str:
    options = {"agentFailure": "throw", **more.pop("options", {})}
    run_id: str = peer.ask("run.start", source=source, args=args or {}, options=options, **more)["runId"]
    return run_id


def test_an_answer_becomes_the_value_and_its_cost_is_counted(host: Piped) -> None:
    run = start(host, ASK)
    asked = host.asked()
    assert asked["params"]["rootRunId"] == asked["params"]["runId"] == run
    assert asked["params"]["idempotencyKey"] == f"{run}/1/1"
    host.answer(asked, value="Ada", usage={"input": 3, "output": 1}, costUsd=0.5, model="m", sessionId=None)
    outcome = host.outcome(run)
    assert (outcome["verdict"], outcome["result"]) == ("completed", "Ada")
    assert (outcome["usage"]["tokens"], outcome["usage"]["costUsd"]) == (4, 0.5)


def test_text_is_read_by_the_schema_and_a_wrong_answer_is_asked_for_once_more(host: Piped) -> None:
    run = start(host, ASK, {"options": {"schema": {"type": "object", "required": ["n"]}}})
    first = host.asked()
    assert first["params"]["schema"] == {"type": "object", "required": ["n"]}
    host.answer(first, text='```json\n{"m": 1}\n```')
    second = host.asked()
    assert second["params"]["attempt"] == 1
    assert "n" in second["params"]["problem"]
    assert second["params"]["refused"] == '{"m":1}'
    assert second["params"]["idempotencyKey"] == f"{run}/1/1.2"
    host.answer(second, text='Here it is: {"n": 2}')
    assert host.outcome(run)["result"] == {"n": 2}


def test_text_without_json_is_a_wrong_answer(host: Piped) -> None:
    run = start(host, ASK, {"options": {"schema": {"type": "object"}}})
    host.answer(host.asked(), text="no idea", costUsd=0.25)
    second = host.asked()
    assert "JSON" in second["params"]["problem"]
    host.answer(second, value={}, costUsd=0.25)
    outcome = host.outcome(run)
    assert (outcome["result"], outcome["usage"]["costUsd"]) == ({}, 0.5)


@pytest.mark.parametrize(
    "data", [{}, {"kind": "failed"}, {"kind": "rejected"}, {"kind": "of a later version"}]
)
def test_an_error_rejects_and_has_cost_what_it_says(host: Piped, data: dict[str, Any]) -> None:
    run = start(host, ASK)
    host.fail(host.asked(), "no, thanks", **data, usage={"input": 2}, costUsd=0.125)
    outcome = host.outcome(run)
    assert outcome["result"] == "no, thanks"
    assert (outcome["usage"]["tokens"], outcome["usage"]["costUsd"]) == (2, 0.125)


def test_an_error_without_data_rejects(host: Piped) -> None:
    run = start(host, ASK)
    host.send(id=host.asked()["id"], error={"code": -32000, "message": "no"})
    assert host.outcome(run)["result"] == "no"


def test_a_failed_attempt_is_tried_again_where_the_workflow_says_so(host: Piped) -> None:
    run = start(host, ASK, {"options": {"retry": {"maxAttempts": 2, "backoffMs": 1}}})
    host.fail(host.asked(), "not now", kind="failed")
    again = host.asked()
    assert (again["params"]["attempt"], again["params"]["idempotencyKey"]) == (2, f"{run}/1/2")
    host.answer(again, value="now")
    assert host.outcome(run)["result"] == "now"


def test_an_option_that_is_not_honoured_is_not_tried_again(host: Piped) -> None:
    run = start(host, ASK, {"options": {"retry": {"maxAttempts": 3, "backoffMs": 1}}})
    host.fail(host.asked(), "no such option", kind="option_not_honoured")
    outcome = host.outcome(run)
    assert outcome["result"] == "no such option"
    assert (outcome["census"]["started"], outcome["census"]["failed"]) == (1, 1)


def test_an_agent_that_is_unavailable_halts_the_run(host: Piped) -> None:
    run = start(host, ASK)
    host.fail(host.asked(), "no credit", kind="unavailable")
    assert host.outcome(run)["verdict"] == "agents_unavailable"


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ({"error": {"code": 1, "message": "boom", "data": {"kind": "fault"}}}, "boom"),
        ({"result": {}}, "neither value nor text"),
        ({"result": {"value": 1, "costUsd": "much"}}, "/costUsd"),
        ({"result": 7}, "is wrong: it must be an object"),
        ({"error": "boom"}, "must be an object"),
        ({"error": {"code": 1, "message": "x", "data": {"usage": {"input": -1}}}}, "/data/usage/input"),
        ({"result": {"value": 1}, "error": {"code": 1, "message": "x"}}, "both"),
    ],
)
def test_a_broken_handler_ends_the_run(host: Piped, reply: dict[str, Any], why: str) -> None:
    run = start(host, ASK)
    host.send(id=host.asked()["id"], **reply)
    outcome = host.outcome(run)
    assert outcome["verdict"] == "host_fault"
    assert why in outcome["error"]["message"]
    assert outcome["error"]["childAlive"] is True


def test_an_attempt_that_takes_too_long_is_cancelled_and_a_late_answer_is_dropped(host: Piped) -> None:
    run = start(host, ASK, {"options": {"timeoutMs": 1000}})
    asked = host.asked()
    assert 0 <= asked["params"]["deadlineSeconds"] <= 1
    assert host.told("request.cancelled") == {"id": asked["id"], "reason": "timeout"}
    host.answer(asked, value="late")
    assert "timeoutMs" in host.outcome(run)["result"]


def test_the_runs_own_time_for_agents_holds_as_well(host: Piped) -> None:
    run = start(host, ASK, options={"agentTimeoutSeconds": 1})
    asked = host.asked()
    assert host.told("request.cancelled") == {"id": asked["id"], "reason": "timeout"}
    assert "agentTimeoutSeconds" in host.outcome(run)["result"]


def test_a_run_that_is_over_waits_for_nobody(host: Piped) -> None:
    run = start(host, "agent('one'); await agent('two'); return 2")
    one, two = host.asked(), host.asked()
    host.answer(two, value="x")
    assert host.told("request.cancelled") == {"id": one["id"], "reason": "ended"}
    assert host.outcome(run)["result"] == 2
    host.answer(one, value="late")


def test_a_second_answer_and_one_to_an_unknown_id_are_dropped(host: Piped) -> None:
    run = start(host, "return [await agent('1'), await agent('2')]")
    first = host.asked()
    for unknown in (first["id"] + 100, -1, "x", None, 1.5):
        host.send(id=unknown, result={"value": "wrong"})
    host.answer(first, value="right")
    host.answer(first, value="wrong")
    host.answer(host.asked(), value="right")
    assert host.outcome(run)["result"] == ["right", "right"]


def test_progress_becomes_an_event_and_of_an_unknown_call_nothing(host: Piped) -> None:
    run = start(host, ASK)
    asked = host.asked()
    for params in ({"id": 1 << 40, "text": "x"}, {"id": asked["id"], "costUsd": "x"}, {}, 7):
        host.send(method="agent.progress", params=params)
    host.send(method="agent.progress", params={"id": asked["id"], "text": "reads", "costUsd": 0.25})
    event = host.event("agent_progress")
    assert (event["runId"], event["text"], event["costUsd"]) == (run, "reads", 0.25)
    assert host.ask("agent.remember", id=asked["id"], handle="session-1") == {}
    host.answer(asked, value=1)
    host.outcome(run)
    assert host.refused("agent.remember", id=asked["id"], handle="x") == {"kind": "not_waiting"}


def test_a_child_workflow_is_named_by_the_client_and_run_by_the_host(host: Piped) -> None:
    run = start(host, "return [await workflow('double', {n: 2}), await workflow({scriptPath: './x.js'})]")
    asked = host.asked("workflow.get")["params"]
    assert (asked["rootRunId"], asked["ref"], asked["args"], asked["depth"]) == (run, "double", {"n": 2}, 0)
    source = "return [args.n * 2, await agent('below')]"
    host.answer(host.seen[-1], source=source, sourceName="double.js")
    below = host.asked()
    assert below["params"]["rootRunId"] == run != below["params"]["runId"]
    host.answer(below, value="b")
    other = host.asked("workflow.get")
    assert "args" not in other["params"]
    host.answer(other, value="instead")
    assert host.outcome(run)["result"] == [[4, "b"], "instead"]


def test_modules_come_with_a_source(host: Piped) -> None:
    modules = {"lib.mjs": "export const ask = (what) => agent(what);\nagent;"}
    source = "import { ask } from './lib.mjs';\nreturn [await ask('a'), await workflow('kid')];"
    run = start(host, source, options={"modules": modules})
    host.answer(host.asked(), value="A")
    kid = "import { ask } from './lib.mjs';\nreturn ask('b');"
    host.answer(host.asked("workflow.get"), source=kid, sourceName="kid.js", modules=modules)
    host.answer(host.asked(), value="B")
    assert host.outcome(run)["result"] == ["A", "B"]
    assert host.ask("check", source=source, modules=modules)["findings"] == []
    (found,) = host.ask("check", source=source, modules={"lib.mjs": "\nconst ;"})["findings"]
    assert (found["kind"], found["sourceName"], found["line"]) == ("syntax", "lib.mjs", 2)
    many = {f"{number}.mjs": "" for number in range(65)}
    assert host.refused("check", source="return 1", modules=many)["path"] == "/modules"
    wrong = {"source": "return 1", "options": {"modules": many}}
    assert host.refused("run.start", **wrong)["path"] == "/options/modules"


def test_other_requests_are_answered_and_rejected(host: Piped) -> None:
    run = start(
        host,
        "const run = await SW.sandbox.exec('tests', {command: 'make', args: ['test']});"
        "const no = await SW.sandbox.exec('rm', {command: 'rm'}).catch(error => error.message);"
        "return [run, no, await SW.extra.ask('Sure?', {schema: {type: 'boolean'}})]",
    )
    asked = host.asked("sandbox.exec")
    assert asked["params"]["program"] == {"command": "make", "args": ["test"]}
    host.answer(asked, value={"status": 0})
    host.fail(host.asked("sandbox.exec"), "not in my house", kind="rejected")
    question = host.asked("question.ask")
    assert question["params"]["problem"] is None
    host.answer(question, value="perhaps")
    again = host.asked("question.ask")
    assert "boolean" in again["params"]["problem"]
    host.answer(again, value=True)
    assert host.outcome(run)["result"] == [{"status": 0}, "not in my house", True]


def test_caps_hold_in_the_host(host: Piped) -> None:
    source = "return Promise.all([1, 2, 3].map(n => agent(`${n}`).catch(error => 'refused')))"
    run = start(host, source, options={"maxAgents": 1, "maxTotalAgents": 2})
    for _ in range(2):
        asked = host.asked()
        host.answer(asked, value=asked["params"]["prompt"])
    outcome = host.outcome(run)
    assert (outcome["result"], outcome["census"]["started"]) == (["1", "2", "refused"], 2)


def test_events_come_in_order_and_the_last_before_the_answer_to_wait(host: Piped) -> None:
    before = len(host.seen)
    run = start(host, "for (let i = 0; i < 100; i++) log(i); return 1")
    host.outcome(run)
    seen = host.seen[before:]
    events = [each["params"]["event"] for each in seen if each.get("method") == "run.event"]
    assert [event["seq"] for event in events] == list(range(1, 103))
    assert (events[0]["type"], events[-1]["type"]) == ("started", "ended")
    assert seen[0]["result"] == {"runId": run}
    assert "outcome" in seen[-1]["result"]


def test_a_run_is_cancelled_with_its_requests_and_its_child_is_gone(host: Piped) -> None:
    run = start(host, ASK, runId="to-be-cancelled")
    asked = host.asked()
    assert host.ask("run.get", runId=run)["run"]["state"] == "running"
    waiting = host.begin("run.wait", runId=run)
    assert host.ask("run.cancel", runId=run, reason="enough") == {"runId": run, "done": "ended"}
    assert host.told("request.cancelled") == {"id": asked["id"], "reason": "ended"}
    outcome = host.reply(waiting)["result"]["outcome"]
    assert outcome["verdict"] == "cancelled"
    assert "enough" in outcome["error"]["message"]
    assert host.refused("run.cancel", runId=run) == {"kind": "run_has_ended", "runId": run}
    assert host.ask("run.get", runId=run)["outcome"]["verdict"] == "cancelled"


def test_a_failed_workflow_is_an_outcome(host: Piped) -> None:
    outcome = host.outcome(start(host, "throw new TypeError('x')", sourceName="mine.js"))
    assert (outcome["verdict"], outcome["error"]["kind"]) == ("failed", "exception")
    assert outcome["error"]["place"] == "mine.js:1:11"


def test_runs_are_listed_in_parts(host: Piped) -> None:
    ids = [start(host, "return 1", runId=f"listed-{n}") for n in range(3)]
    for run in ids:
        host.outcome(run)
    first = host.ask("run.list", limit=2, state="ended")
    second = host.ask("run.list", limit=2, state="ended", before=first["next"])
    listed = [row["runId"] for row in (*first["runs"], *second["runs"])]
    assert listed[:3] == ids[::-1]
    assert host.refused("run.list", before="nonsense")["path"] == "/before"


@pytest.mark.parametrize(
    ("method", "params", "data"),
    [
        ("run.start", {}, {"kind": "invalid_params", "path": ""}),
        ("run.start", {"source": 5}, {"kind": "invalid_params", "path": "/source"}),
        (
            "run.start",
            {"source": "", "options": {"maxAgents": 0}},
            {"kind": "invalid_params", "path": "/options/maxAgents"},
        ),
        (
            "run.start",
            {"source": "", "options": {"timeoutSeconds": 0}},
            {"kind": "invalid_params", "path": "/options/timeoutSeconds"},
        ),
        (
            "run.start",
            {"source": "", "limits": {"maxMessageBytes": 1 << 30}},
            {"kind": "invalid_params", "path": "/limits/maxMessageBytes"},
        ),
        ("run.start", {"source": "", "runId": "a/b"}, {"kind": "invalid_params", "path": "/runId"}),
        ("run.start", {"source": "", "key": "k"}, {"kind": "no_store"}),
        ("run.wait", {"runId": "nope"}, {"kind": "unknown_run", "runId": "nope"}),
        ("run.get", {"runId": "nope"}, {"kind": "unknown_run", "runId": "nope"}),
        ("run.cancel", {"runId": "nope"}, {"kind": "unknown_run", "runId": "nope"}),
        ("run.attach", {"runId": "nope"}, {"kind": "unknown_run", "runId": "nope"}),
        ("run.resume", {"runId": "nope"}, {"kind": "no_store"}),
        ("run.stop", {}, {"kind": "method_not_found"}),
        ("agent.ask", {}, {"kind": "method_not_found"}),
        ("initialize", {"protocolVersion": "1.0"}, {"kind": "invalid_state"}),
    ],
)
def test_what_is_wrong_is_refused_by_kind(
    host: Piped, method: str, params: dict[str, Any], data: dict[str, Any]
) -> None:
    refused = host.refused(method, **params)
    assert data.items() <= refused.items()


def test_an_id_in_use_is_refused(host: Piped) -> None:
    run = start(host, ASK, runId="twice")
    assert host.refused("run.start", source="return 1", runId=run) == {"kind": "run_id_in_use", "runId": run}
    host.answer(host.asked(), value=1)
    host.outcome(run)
    assert host.outcome(start(host, "return 2", runId=run))["result"] == 2


def test_a_source_is_checked(host: Piped) -> None:
    good = host.ask("check", source="export const meta = {name: 'n'}\nagent('x')\nreturn 1", outline=True)
    assert (good["dialect"], good["meta"]) == ("script", {"name": "n"})
    assert [each["kind"] for each in good["findings"]] == ["unawaited_call"]
    assert good["outline"]
    bad = host.ask("check", source="const = 1")
    assert bad["dialect"] is None
    [finding] = bad["findings"]
    assert (finding["kind"], finding["severity"], finding["line"]) == ("syntax", "error", 1)


@pytest.mark.skipif(sys.platform != "linux", reason="there is no cage but on Linux")
@pytest.mark.parametrize(("words", "cage"), [([], "strict"), (["--cage=none"], "none")])
def test_the_cage_is_the_hosts_whatever_a_client_says(words: list[str], cage: str) -> None:
    other = "none" if cage == "strict" else "strict"
    with piped("--no-store", *words) as peer:
        assert peer.greet(handlers=["agent"], isolation=other, cage=other)["isolation"] == cage
        options = {"isolation": other, "cage": other, "childCommand": ["false"], "spawn": {"cage": other}}
        params = {"source": ASK, "options": options, **options}
        peer.ask("run.start", runId="caged", **params)
        peer.asked()
        assert ("2" in [seccomp_of(each) for each in descendants(peer.process)]) is (cage == "strict")


def seccomp_of(process: psutil.Process) -> str:
    """How the kernel filters the system calls of a process: 0 for not at all, 2 by a filter."""
    try:
        told = Path(f"/proc/{process.pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):  # it was a part of the start, which is over
        return ""
    return "".join(re.findall(r"(?m)^Seccomp:\s+(\d)$", told))
