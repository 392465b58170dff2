"""A child that speaks the protocol well and lies in it.

Usage: lying_child.py LIE
"""

import json
import os
import sys
import time

from flowcage.protocol.layers import STRICT_LAYERS
from flowcage.protocol.limits import Limits

LIE = sys.argv[1]
MIB = 1024 * 1024
LIMITS = dict.fromkeys(Limits().to_wire(), 1)
AGENT = {"type": "agent", "id": "1", "prompt": "p"}
NOTE = {"kind": "note", "message": "x" * 1000}


def write(identifier: object, result: object) -> None:
    data = json.dumps({"jsonrpc": "2.0", "id": identifier, "result": result}).encode() + b"\n"
    while data:
        data = data[os.write(1, data) :]


def initialized() -> dict[str, object]:
    return {
        "protocolVersion": "9.9" if LIE == "another version" else "1.0",
        "server": {"name": "liar", "version": "0"},
        "engine": {"name": "none", "version": "0"},
        "limits": LIMITS,
        "isolation": {
            name: {"applied": LIE != "no isolation", "detail": ""}
            for name in (STRICT_LAYERS[1:] if LIE == "a layer less" else STRICT_LAYERS)
        },
        "maxMessageBytes": 64 * MIB if LIE == "longer messages" else 8 * MIB,
    }


def drained(**members: object) -> dict[str, object]:
    return {"calls": [], "requests": [], "state": "pending", **members}


def answer_ahead() -> None:
    """Reply to resolves and drains that nobody has sent yet, without ever reading."""
    for number in range(1, 2500):
        write(2 * number + 1, drained(requests=[{**AGENT, "id": str(number)}]))
        write(2 * number + 2, {})
    time.sleep(1000)


def first_drain() -> dict[str, object]:
    if LIE == "one id twice":
        return drained(requests=[AGENT, AGENT])
    if LIE == "too many requests":
        return drained(requests=[{**AGENT, "id": str(number)} for number in range(1, 31)])
    if LIE == "too many calls":
        return drained(calls=[{"type": "log", "values": []}] * 50_000, requests=[AGENT])
    if LIE == "too many diagnostics":
        return drained(diagnostics=[{"kind": "note", "message": ""}] * 20_000, more=True)
    if LIE == "a signal without a name":
        os.kill(os.getpid(), 40)
    return drained(diagnostics=[NOTE] * 1000, requests=[{**AGENT, "id": str(drains)}])


drains = 0
for line in sys.stdin.buffer:
    request = json.loads(line)
    if request["method"] == "initialize":
        write(request["id"], initialized())
    elif request["method"] in ("start", "resolve"):
        write(request["id"], {})
        if LIE == "answers ahead":
            answer_ahead()
    elif LIE == "endless diagnostics" and drains == 5:
        write(request["id"], drained(state="complete", output={"result": 1}))
    else:
        drains += 1
        write(request["id"], first_drain())
