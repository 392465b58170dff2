"""A child that behaves until a chosen message, and then does one thing wrong.

Usage: fake_child.py METHOD FAULT
"""

import json
import os
import signal
import sys
import time

METHOD, FAULT = sys.argv[1:3]
INITIALIZED = {
    "protocolVersion": "1.0",
    "server": {"name": "fake", "version": "0"},
    "engine": {"name": "none", "version": "0"},
    "limits": {
        "memoryBytes": 1,
        "stackBytes": 1,
        "stepTimeoutMs": 1,
        "cpuSeconds": 1,
        "addressSpaceBytes": 1,
        "maxSleepMs": 1,
        "maxMessageBytes": 100_000,
        "maxPendingRequests": 1,
        "maxQueuedBytes": 1,
    },
    "isolation": {
        name: {"applied": True, "detail": "so it says"}
        for name in ("memory", "cpu", "files", "processes", "core")
    },
    "maxMessageBytes": 100_000,
}
RESULTS = {
    "initialize": INITIALIZED,
    "start": {},
    "drain": {
        "calls": [],
        "requests": [{"type": "agent", "id": "1", "prompt": "p"}],
        "state": "pending",
    },
    "resolve": {},
}


def write(text: str | bytes) -> None:
    data = text.encode() if isinstance(text, str) else text
    while data:
        data = data[os.write(1, data) :]


def misbehave(identifier: int) -> None:
    good = json.dumps({"jsonrpc": "2.0", "id": identifier, "result": RESULTS[METHOD]})
    faults: dict[str, str | bytes] = {
        "garbage": "}{\n",
        "nan": good.replace("{}", '{"x":NaN}').replace('"id"', '"y":NaN,"id"') + "\n",
        "utf16": good.encode("utf-16") + b"\n",
        "bad utf-8": b'{"jsonrpc":"2.0\xff"}\n',
        "batch": f"[{good}]\n",
        "deep": "[" * 100_000 + "\n",
        "long integer": '{"jsonrpc":"2.0","id":' + "1" * 5000 + ',"result":{}}\n',
        "wrong id": good.replace(f'"id": {identifier}', '"id": 999') + "\n",
        "true as id": good.replace(f'"id": {identifier}', '"id": true') + "\n",
        "float as id": good.replace(f'"id": {identifier}', f'"id": {identifier}.0') + "\n",
        "no id": '{"jsonrpc":"2.0","result":{}}\n',
        "result and error": good[:-1] + ',"error":{"code":1,"message":"","data":{"kind":"x"}}}\n',
        "wrong shape": f'{{"jsonrpc":"2.0","id":{identifier},"result":[]}}\n',
        "error without kind": good.replace('"result"', '"error": {"code": 1, "message": ""}, "x"') + "\n",
        "endless line": b"x" * (9 * 1024 * 1024),
    }
    if FAULT in faults:
        write(faults[FAULT])
    elif FAULT == "exit 0":
        os._exit(0)
    elif FAULT == "exit 3":
        os.write(2, b"\x1b[31mthe reason\x1b[0m\n")
        os._exit(3)
    elif FAULT == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif FAULT == "half a line":
        write(good[: len(good) // 2])
        os._exit(0)
    elif FAULT == "close stdout":
        os.close(1)
    elif FAULT == "stderr flood":
        for _ in range(100):
            os.write(2, b"noise " * 10_000)
        os._exit(4)
    else:
        assert FAULT == "silence", FAULT
    while True:  # alive, deaf and mute: only a kill ends it
        time.sleep(1000)


for line in sys.stdin.buffer:
    request = json.loads(line)
    if request["method"] == METHOD:
        misbehave(request["id"])
    write(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": RESULTS[request["method"]]}) + "\n")
