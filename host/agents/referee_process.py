"""The process in which `referee` has a dangerous schema applied: one task on stdin, one reply on stdout."""

from __future__ import annotations

import json
import resource
import sys
from typing import Any

from flowcage.host.agents.instance import TooCostly
from flowcage.host.agents.referee import LARGE_WORK, instance
from flowcage.host.agents.schema import Schema, SchemaError
from flowcage.protocol import strictjson
from flowcage.protocol.messages import Json

# A schema and a value of 8 MiB each take a few hundred MiB when parsed.
_ADDRESS_SPACE_BYTES = 2 * 1024 * 1024 * 1024
# The host gives up sooner; this is for when the host is no longer there to do so.
_CPU_SECONDS = 20


def reply_to(task: dict[str, Any]) -> dict[str, Json]:
    """Do one task of `referee`: ``{"result": …}``, or ``{"error": "…"}`` when the schema is at fault."""
    try:
        return {"result": _result(task)}
    except SchemaError as error:
        return {"error": str(error)}
    except TooCostly:
        return {"error": "echo cannot make an instance of options.schema: there is too much to try"}


def _result(task: dict[str, Any]) -> Json:
    if task["task"] == "instance":
        return instance(task["schema"], LARGE_WORK)
    schema = Schema(task["schema"])
    return schema.why_not(task["value"]) if task["task"] == "why_not" else None


def main() -> None:
    """Answer and leave."""
    _limit(resource.RLIMIT_AS, _ADDRESS_SPACE_BYTES)
    _limit(resource.RLIMIT_CPU, _CPU_SECONDS)
    task = json.loads(sys.stdin.buffer.read())
    sys.stdout.buffer.write(strictjson.dumps(reply_to(task)).encode())


def _limit(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    lowered = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (lowered, lowered))


if __name__ == "__main__":
    main()
