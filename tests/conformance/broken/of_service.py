"""Hosts of the host protocol that are broken in one way, by the id of the check that they must fail."""

from __future__ import annotations

from typing import Any

from flowcage.conformance.on_service import SERVICE_CHECKS

from .mutant import Mutant, error, has, line, reading, silence, when
from .of_service_answers import OF_ANSWERS
from .of_wire import OF_WIRE
from .relay import (
    Broken,
    Message,
    State,
    accepts,
    answered,
    asked,
    drops,
    event,
    failure,
    forgives,
    instead,
    outcome,
    params,
    refuses,
    said,
    verdict,
    without,
)

MOST = 16 << 20
_IDS = {check.id for check in SERVICE_CHECKS.checks}
# These have the name of a check of a child, and other messages.
_OWN = {
    f"service-json-rpc/{name}" for name in ("no-method", "invalid-params", "notification", "unknown-members")
}


def _shared() -> dict[str, Mutant]:
    """The mutants of a child, for the checks that a service has in the same words."""
    themes = ("framing/", "json/", "json-rpc/")
    named = {f"service-{name}": mutant for name, mutant in OF_WIRE.items() if name.startswith(themes)}
    return {name: mutant for name, mutant in named.items() if name.partition(": ")[0] in _IDS - _OWN}


SHARED: dict[str, Mutant] = {
    **_shared(),
    "service-framing/only-newline-ends-a-line": Mutant(
        before=lambda data: data.split("\u2028".encode())[0] if b'"run.start"' in data else data
    ),
    "service-framing/line-of-the-maximum": when(
        lambda turn: len(turn.line) == MOST, then=error("message_too_large", None)
    ),
    "service-framing/line-too-long": when(
        lambda turn: len(turn.line) == MOST + 1, then=error("method_not_found", 7)
    ),
    "service-framing/line-too-long: far": when(lambda turn: len(turn.line) == 2 * MOST, then=silence),
    "service-json-rpc/no-method": when(has(b'"id":7}'), then=silence),
    "service-json-rpc/notification": when(
        has('{"jsonrpc": "2.0", "method": "run.get"'), then=error("invalid_params", None)
    ),
    "service-json-rpc/unknown-members": when(has('"x": 1'), then=error("invalid_params", 1)),
    "service-json-rpc/answers-to-nothing": when(has('"id": 4711'), then=error("invalid_request", None)),
    "service-initialize/other-version": reading('"protocolVersion": "999.0"', '"protocolVersion": "1.0"'),
    "service-initialize/unknown-handler": reading('"agents"', '"agent"'),
    "service-initialize/early-notification": when(
        has('"early"'), then=lambda _turn: line(failure("invalid_state"))
    ),
    "service-runs/id-of-another-form": reading('"a/b"', '"a-b"'),
}


def _again(state: State, message: Message) -> Message | None:
    if state.count("initialize") < 2 or not state.said:
        return None
    return {**state.said[0], "id": message["id"]}


def _early_wait(state: State, message: Message) -> Message | None:
    return failure("unknown_run", message["id"], runId="piped") if len(state.sent) < 4 else None


def _own_id(state: State, message: Message) -> Message | None:
    return failure("invalid_request", message["id"]) if message["id"] == 1 and state.said else None


def _asks_again(state: State, message: Message) -> Message:
    if state.method_of(message) == "=run.wait":
        state.kept.append(message)
        first = next((each for each in state.said if each.get("method") == "agent.ask"), None)
        state.to_client(message)
        told: Any = dict(first["params"]) if first else {}
        return {"jsonrpc": "2.0", "id": 77, "method": "agent.ask", "params": told}
    return message


def _ended_late(state: State, message: Message) -> Message | None:
    if event("ended")(message):
        state.kept.append(message)
        return None
    if state.method_of(message) == "=run.wait" and state.kept:
        state.to_client(message)
        return dict(state.kept.pop())
    return message


def _start_late(state: State, message: Message) -> Message | None:
    if state.method_of(message) == "=run.start":
        state.kept.append(message)
        return None
    if state.kept:
        state.to_client(message)
        return dict(state.kept.pop())
    return message


ENDED: Message = {"runId": "r", "done": "ended"}

OF_SERVICE: dict[str, Broken] = {
    **OF_ANSWERS,
    "service-json-rpc/invalid-params": said(
        "=run.start", lambda message: message["error"]["data"].update(path="") if "error" in message else None
    ),
    "service-json-rpc/ids-of-each-side": instead("run.wait", _own_id),
    "service-json-rpc/waiting-holds-up-nothing": instead("run.get", lambda _state, _message: {}),
    "service-initialize/speaks-1.0": answered("initialize", lambda told: told.update(protocolVersion="1.1")),
    "service-initialize/named-methods": refuses("run.reject", "method_not_found"),
    "service-initialize/needed-methods": answered(
        "initialize", lambda told: told["methods"].remove("run.cancel")
    ),
    "service-initialize/names-itself": answered("initialize", lambda told: told["hostInfo"].update(name="")),
    "service-initialize/after-other-version": refuses("initialize", "invalid_state", 2),
    "service-initialize/no-version": params(
        "initialize", lambda told: told.setdefault("protocolVersion", "1.0")
    ),
    "service-initialize/first": accepts("run.list", {"runs": [], "next": None}),
    "service-initialize/twice": instead("initialize", _again),
    "service-initialize/pipelined": instead("run.wait", _early_wait),
    "service-runs/chosen-id": answered("run.start", lambda told: told.update(runId="other")),
    "service-runs/made-ids": params("run.start", lambda told: told.update(runId="same")),
    "service-runs/id-in-use": forgives("run.start", "run_id_in_use", {"runId": "twice"}),
    "service-runs/args": params(
        "run.start", lambda told: told.pop("args") if told.get("args", 1) is None else None
    ),
    "service-runs/results": outcome(
        lambda told: told.update(result="null") if told["result"] is None else None
    ),
    "service-runs/throws": outcome(lambda told: told["error"].update(kind="error")),
    "service-runs/throws: without a message": outcome(lambda told: told["error"].update(message="failed")),
    "service-runs/throws: without a place": without("sourceName"),
    "service-runs/syntax": outcome(lambda told: told["error"].update(kind="exception")),
    "service-runs/timeout": verdict("wall_timeout", "failed"),
    "service-runs/limits": params("run.start", lambda told: told.update(limits={"cpuSeconds": 2})),
    "service-runs/wait-again": refuses("run.wait", "unknown_run", 3),
    "service-runs/unknown-run": forgives("run.cancel", "unknown_run", ENDED),
    "service-runs/get": answered("run.get", lambda told: told["run"].update(sourceName="")),
    "service-runs/get: no outcome": answered("run.get", lambda told: told.pop("outcome", None)),
    "service-runs/listed": answered("run.list", lambda told: told["runs"].reverse()),
    "service-runs/listed: no pages": params("run.list", lambda told: told.pop("limit", None)),
    "service-runs/listed: any state": params("run.list", lambda told: told.pop("state", None)),
    "service-runs/cancel": answered("run.cancel", lambda told: told.update(done="asked")),
    "service-runs/cancel: no verdict": verdict("cancelled", "failed"),
    "service-runs/cancel-ended": forgives("run.cancel", "run_has_ended", ENDED),
    "service-runs/side-by-side": instead(
        "run.start", lambda state, _: {} if state.count("run.start") == 2 else None
    ),
    "service-runs/nothing-after-the-end": Broken(says=_asks_again),
    "service-runs/checked": answered("check", lambda told: told.update(meta=None)),
    "service-events/asked-for": params("run.start", lambda told: told.update(events=True)),
    "service-events/by-default": params("initialize", lambda told: told.pop("events", None)),
    "service-events/in-order": drops(event("log")),
    "service-events/in-order: ended late": Broken(says=_ended_late),
    "service-events/after-the-answer": Broken(says=_start_late),
    "service-events/of-a-child": said(
        "run.event",
        lambda message: message["params"]["event"].update(rootRunId=message["params"]["event"]["runId"]),
    ),
    "service-events/gaps": drops(event("gap")),
    "service-events/gaps: without the end": drops(event("ended")),
    "service-events/withheld": without("options", "withholdValues"),
    "service-store/none": Broken(
        hears=accepts("run.reject", {}).hears, arguments=("--cage", "none", "--no-store")
    ),
    "service-store/resumed": asked("agent.ask", interrupted=False),
    "service-store/explained": answered("run.resume", lambda told: told["explanation"].update(reused=0)),
    "service-store/forked": params("run.resume", lambda told: told.update(fromCall="1")),
    "service-store/not-resumable": forgives(
        "run.resume", "not_resumable", {"runId": "done", "way": "resume", "started": True}
    ),
    "service-store/keys": without("key"),
    "service-store/remembered": asked("agent.ask", handle=None),
    "service-store/remembered: of nobody": forgives("agent.remember", "not_waiting", {}),
    "service-store/answered": forgives("run.answer", "answer_does_not_fit", {}),
    "service-ending/shutdown": Broken(status=1),
    "service-ending/nothing-after-shutdown": Broken(last=failure("closing", "late")),
    "service-ending/shutdown-with-runs": Broken(leaves=True),
    "service-ending/eof": Broken(status=3),
    "service-ending/eof-at-once": Broken(status=3),
    "service-ending/eof-with-runs": Broken(leaves=True),
    "service-ending/eof-while-starting": params(
        "initialize", lambda told: told.update(onDisconnect="continue")
    ),
    "service-ending/half-a-line": Broken(last=failure("parse_error")),
    "service-ending/eof-goes-on": params("initialize", lambda told: told.pop("onDisconnect", None)),
    "service-ending/terminated": Broken(leaves=True),
    "service-ending/quiet-stderr": Broken(mutters=True),
}
