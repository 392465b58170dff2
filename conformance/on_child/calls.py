"""The shapes of calls and requests."""

from __future__ import annotations

from flowcage.conformance.check import expect
from flowcage.conformance.on_child.registry import CHILD_CHECKS
from flowcage.conformance.peer import ChildPeer

check = CHILD_CHECKS.theme("calls", "protocol.md: What messages are made of")


def requests_of(child: ChildPeer, source: str) -> list[dict[str, object]]:
    """The requests that a workflow has made when it first waits."""
    child.start(f"{source}\nexport default 1;")
    return child.take()


@check.must("log tells its values.")
def log(child: ChildPeer) -> None:
    child.start('log("a", 2, null, { b: [true] });\nexport default 1;')
    expect("the calls", child.drain()["calls"], [{"type": "log", "values": ["a", 2, None, {"b": [True]}]}])


@check.must("phase tells its name.")
def phase(child: ChildPeer) -> None:
    child.start('phase("Review");\nexport default 1;')
    expect("the calls", child.drain()["calls"], [{"type": "phase", "name": "Review"}])


@check.must("agent asks with its prompt and options.")
def agent(child: ChildPeer) -> None:
    request = {
        "type": "agent",
        "id": "1",
        "prompt": "hi",
        "options": {"label": "l", "schema": {"type": "object"}},
    }
    expect(
        "the requests",
        requests_of(child, 'agent("hi", { label: "l", schema: { type: "object" } });'),
        [request],
    )


@check.must("Options that are absent, undefined, null or {} are left out.")
def empty_options(child: ChildPeer) -> None:
    requests = requests_of(child, 'agent("a"); agent("b", undefined); agent("c", null); agent("d", {});')
    expect("requests with options", [request["id"] for request in requests if "options" in request], [])


@check.must("agent without a phase option carries the phase of its moment.")
def phase_option(child: ChildPeer) -> None:
    requests = requests_of(child, 'phase("one"); agent("a"); phase("two");')
    expect("the options", requests[0].get("options"), {"phase": "one"})


@check.must("workflow asks with its name and args.")
def workflow(child: ChildPeer) -> None:
    request = {"type": "workflow", "id": "1", "ref": "other", "args": [1]}
    expect("the requests", requests_of(child, 'workflow("other", [1]);'), [request])


@check.must("workflow by path asks with {scriptPath}, and without args where none were given.")
def workflow_path(child: ChildPeer) -> None:
    request = {"type": "workflow", "id": "1", "ref": {"scriptPath": "./b.js"}}
    expect("the requests", requests_of(child, 'workflow({ scriptPath: "./b.js" });'), [request])


@check.must("sleep asks with its milliseconds.")
def sleep(child: ChildPeer) -> None:
    request = {"type": "sleep", "id": "1", "durationMs": 12}
    expect("the requests", requests_of(child, "SW.extra.sleep(12);"), [request])


@check.must("SW.sandbox.exec asks with its profile and request.")
def sandbox_exec(child: ChildPeer) -> None:
    program = {"command": "ls", "args": ["-l"], "cwd": "/x", "env": {"A": "b"}, "stdin": "in"}
    child.start('SW.sandbox.exec("default", args);\nexport default 1;', args=program)
    request = {"type": "sandbox_exec", "id": "1", "profile": "default", "request": program}
    expect("the requests", child.take(), [request])


@check.must("ask asks with its question, schema, choices and label.")
def ask(child: ChildPeer) -> None:
    options = (
        '{ schema: { type: "boolean" }, options: ["yes", { label: "No", value: false }], label: "ship" }'
    )
    request = {
        "type": "ask",
        "id": "1",
        "question": "Ship it?",
        "schema": {"type": "boolean"},
        "choices": [{"label": "yes", "value": "yes"}, {"label": "No", "value": False}],
        "label": "ship",
    }
    asked = requests_of(child, f'SW.extra.ask("Ship it?", {options}); SW.extra.ask("How many?");')
    expect("the requests", asked, [request, {"type": "ask", "id": "2", "question": "How many?"}])


@check.must("ask resolves to the value that it is answered with.")
def ask_answered(child: ChildPeer) -> None:
    child.start('export default [await SW.extra.ask("Ship it?")];')
    child.take()
    child.resolve("1", {"wait": 3})
    expect("the result", child.result(), [{"wait": 3}])


@check.must("workflow:extra and workflow:sandbox may be imported.")
def virtual_modules(child: ChildPeer) -> None:
    source = 'import { sleep } from "workflow:extra";\nimport { exec } from "workflow:sandbox";\nsleep(3);\n'
    requests = requests_of(child, source + 'exec("p", { command: "ls" });')
    expect("the kinds", [request["type"] for request in requests], ["sleep", "sandbox_exec"])


@check.must('Ids are "1", "2", … over all kinds together.')
def one_counter(child: ChildPeer) -> None:
    source = (
        'agent("a"); workflow("w"); SW.extra.sleep(1); SW.sandbox.exec("p", { command: "c" }); agent("b");'
    )
    expect("the ids", [request["id"] for request in requests_of(child, source)], ["1", "2", "3", "4", "5"])
