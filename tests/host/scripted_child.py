"""A child that answers as it is told, whatever it is asked.

Usage: scripted_child.py SCRIPT, which is a JSON object: by method, the replies in their order, each an object
with `result` or `error`. The last one answers all further messages of that method; a method that is not there
is answered well. A reply may have `seconds` to wait first, bytes to write to stderr before it (`stderr`), and
seconds of CPU to use up: `spin` before it, `spin_after` when it was given. With `hold` a process that
is forked before it keeps stdout and stderr open.
"""

import json
import os
import sys
import time
from typing import Any

from flowcage.protocol.layers import STRICT_LAYERS
from flowcage.protocol.limits import Limits

SCRIPT = json.loads(sys.argv[1])
NOISE = b"noise" * 1000 + b"\n"
PEER = {"name": "scripted", "version": "0"}
GOOD: dict[str, dict[str, Any]] = {
    "initialize": {
        "result": {
            "protocolVersion": "1.0",
            "server": PEER,
            "engine": PEER,
            "limits": Limits().to_wire(),
            "isolation": {name: {"applied": True, "detail": ""} for name in STRICT_LAYERS},
            "maxMessageBytes": Limits().max_message_bytes,
        }
    },
    "check": {"result": {"dialect": "module", "meta": None}},
    "drain": {"result": {"calls": [], "requests": [], "state": "complete", "output": {"result": 1}}},
}


def spin(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


for line in sys.stdin.buffer:
    message = json.loads(line)
    replies = SCRIPT.get(message["method"]) or [GOOD.get(message["method"], {"result": {}})]
    reply = dict(replies.pop(0) if len(replies) > 1 else replies[0])
    time.sleep(reply.pop("seconds", 0))
    if reply.pop("hold", False) and os.fork() == 0:
        time.sleep(1000)
    for _ in range(reply.pop("stderr", 0) // len(NOISE)):
        os.write(2, NOISE)
    spin(reply.pop("spin", 0))
    spin_after = reply.pop("spin_after", 0)
    data = json.dumps({"jsonrpc": "2.0", "id": message["id"], **reply}).encode() + b"\n"
    while data:
        data = data[os.write(1, data) :]
    spin(spin_after)
