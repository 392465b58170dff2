"""The child as a later version might be, which has more to say.

Usage: newer_child.py ADDITION
"""

import json
import os
import sys
from io import BytesIO
from typing import Any

from flowcage.child.cage.highwater import HighWater
from flowcage.child.cage.lockdown import apply_nothing
from flowcage.child.session import Session

ADDITION = sys.argv[1]
# Values that are the workflow's own: nothing is added to these.
OWN = {"result", "values", "args", "options", "meta"}


def with_members(value: Any, depth: int = 0) -> Any:
    """The same with a member more in every object of the contract."""
    if isinstance(value, list):
        return [with_members(item, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    more = {
        name: inner if depth > 0 and name in OWN else with_members(inner, depth + 1)
        for name, inner in value.items()
    }
    return more | {"x-later": {"x": [1]}}


def changed(reply: dict[str, Any]) -> dict[str, Any]:
    """What a later version might say instead."""
    result = reply.get("result", {})
    if ADDITION == "members":
        whole: dict[str, Any] = with_members(reply)
        whole.get("result", {}).get("isolation", {}).pop("x-later", None)
        return whole
    if ADDITION == "layer" and "isolation" in result:
        result["isolation"]["firmware"] = {"applied": True, "detail": "later"}
    if ADDITION == "limit" and "limits" in result:
        result["limits"]["maxFrames"] = 7
    if ADDITION == "diagnostic" and result.get("state") == "complete":
        result["diagnostics"] = [{"kind": "later", "message": "something new", "where": [1, 2]}]
    if ADDITION == "call" and "calls" in result:
        result["calls"] = [{"type": "chart", "points": [1]}]
    if ADDITION == "request" and "requests" in result:
        result["requests"] = [{"type": "fetch", "id": "1", "url": "https://example.com"}]
    if ADDITION == "state" and "state" in result:
        result["state"] = "paused"
    if ADDITION == "kind" and "calls" in result:
        error = {
            "code": -32050,
            "message": "x",
            "data": {"kind": "quota", "name": None, "message": "x", "stack": ""},
        }
        return {"jsonrpc": "2.0", "id": reply["id"], "error": error}
    return reply


session = Session(apply_nothing, HighWater())
while True:
    for answer in session.receive(os.read(0, 1 << 16)):
        for line in BytesIO(answer.data):
            data = json.dumps(changed(json.loads(line))).encode() + b"\n"
            while data:
                data = data[os.write(1, data) :]
        if answer.last:
            os._exit(0)
