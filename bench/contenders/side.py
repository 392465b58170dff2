"""One contender of bench/host.py: a process that does what each line of stdin asks, and answers with a line.

    python bench/contenders/side.py NAME

A question is ``{"do": METHOD, ...}`` with the method's arguments, an answer what it returned. Each contender
has a process of its own, so that all of its CPU can be counted, and so that one interpreter can measure
contenders of others.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import trio


async def serve(name: str) -> None:
    """Answer questions until stdin ends."""
    from flowcages import Exec, HostSide, ZygoteOnly
    from peers import Monty, PingPong, Program

    sides: dict[str, Callable[[], Any]] = {
        "host": HostSide,
        "zygote": ZygoteOnly,
        "exec": Exec,
        "monty": Monty,
        "node": lambda: Program("node"),
        "deno": lambda: Program("deno", "run", "--quiet"),
        "ping-pong": PingPong,
    }
    async with sides[name]() as side:
        lines = trio.lowlevel.FdStream(0)
        buffer = b""
        while data := await lines.receive_some():
            buffer += data
            *complete, buffer = buffer.split(b"\n")
            for line in complete:
                question = json.loads(line)
                answer = await getattr(side, question.pop("do"))(**question)
                print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    trio.run(serve, sys.argv[1])
