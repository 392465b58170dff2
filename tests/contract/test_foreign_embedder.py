"""A child driven as any other language would drive it: two pipes and a JSON library, nothing of ours."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

WORKFLOW = """
export const meta = { name: "review", description: "asks twice" };
phase("read");
const notes = await parallel(args.files.map((file) => () => agent(`Read ${file}`)));
log("read", notes.length);
const verdict = await agent("Judge", { schema: { type: "object" } });
return { notes, verdict, spent: budget.spent() };
"""


def test_a_foreign_embedder_runs_a_workflow_with_nothing_but_two_pipes_and_json() -> None:
    child = subprocess.Popen(
        [sys.executable, "-I", "-m", "flowcage.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    assert child.stdin is not None
    assert child.stdout is not None
    requests_out, replies_in, identifier = child.stdin, child.stdout, 0

    def ask(method: str, **params: Any) -> Any:
        nonlocal identifier
        identifier += 1
        request = {"jsonrpc": "2.0", "id": identifier, "method": method, "params": params}
        print(json.dumps(request), file=requests_out, flush=True)
        reply = json.loads(replies_in.readline())
        assert reply["id"] == identifier
        assert "error" not in reply, reply
        return reply["result"]

    hello = ask("initialize", protocolVersion="1.0", client={"name": "foreign", "version": "0"})
    assert hello["protocolVersion"] == "1.0"
    assert ask("start", source=WORKFLOW, sourceName="review.js", args={"files": ["a", "b"]}) == {}

    assert ask("poll") == {"type": "call", "call": {"type": "phase", "name": "read"}}
    first = {"type": "agent", "id": "1", "prompt": "Read a", "options": {"phase": "read"}}
    assert ask("poll") == {"type": "request", "request": first}
    requests = ask("take")["requests"]
    assert [request["prompt"] for request in requests] == ["Read a", "Read b"]
    assert ask("poll") == {"type": "pending", "stalled": False}
    for request in requests:
        answer = {"type": "ok", "value": f"notes on {request['prompt']}"}
        assert ask("resolve", id=request["id"], resolution=answer) == {}

    drained = ask("drain")
    assert drained["calls"] == [{"type": "log", "values": ["read", 2]}]
    assert [request["id"] for request in drained["requests"]] == ["3"]
    assert drained["state"] == "pending"
    budget = {"total": 100, "spent": 40}
    ask("resolve", id="3", resolution={"type": "ok", "value": {"good": True}, "budget": budget})

    result = {"notes": ["notes on Read a", "notes on Read b"], "verdict": {"good": True}, "spent": 40}
    finished = ask("drain")
    assert (finished["state"], finished["output"]) == ("complete", {"result": result})
    assert ask("poll") == {"type": "complete", "output": {"result": result}}
    assert ask("shutdown") == {}
    rest, diagnostics = child.communicate(timeout=300)
    assert (child.returncode, rest, diagnostics) == (0, "", "")
