"""Usage: some_host SOURCE LIMITS CHILD…: runs a workflow and prints what came of it as JSON.

Run by `later` it is a host of the later version: it answers ``fetchPage`` and reads the member ``pages``.
LIMITS is a JSON object of the host's own names; CHILD is the child's command.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from flowcage.host import RunError, RunOptions, run_workflow_blocking
from flowcage.host.process import channel, codec
from flowcage.host.process.launch.spawn import Spawn
from flowcage.host.run.core import kinds
from flowcage.protocol import decode
from flowcage.protocol.connection import HostConnection
from flowcage.protocol.limits import Limits
from tests.contract.later import FetchRequest

SOURCE, LIMITS, *CHILD = sys.argv[1:]
IS_LATER = "max_pages" in Limits._fields
connections: list[HostConnection] = []
pages: list[int | None] = []


class ShownConnection(HostConnection):
    """One that can be asked for the version afterwards."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        connections.append(self)


def answer_pages() -> None:
    """Have the host answer the later request, by a row and a handler, and read the later member."""
    drained = decode.drained

    def drained_later(value: Any, method: str) -> Any:
        pages.append(value.get("pages"))
        return drained(value, method)

    async def fetch_page(request: FetchRequest) -> str:
        return f"page of {request.url}"

    patched: Any = decode
    patched.drained = drained_later
    patched = codec
    patched.IS_TYPED = False  # `typed` does not know the member
    patched = kinds
    patched.KINDS = {**kinds.KINDS, FetchRequest: kinds.Kind("fetch_page", cap="max_children")}
    patched = RunOptions
    patched.fetch_page = staticmethod(fetch_page)


def main() -> None:
    """Run, and tell."""
    patched: Any = channel
    patched.HostConnection = ShownConnection
    if IS_LATER:
        answer_pages()
    limits = Limits(**json.loads(LIMITS))
    options = RunOptions(limits=limits, launcher=Spawn(tuple(CHILD)), isolation="none", timeout_seconds=300)
    told: dict[str, Any]
    try:
        outcome = run_workflow_blocking(SOURCE, options=options)
        told = {"result": outcome.result}
        report = outcome.report
    except RunError as error:
        told = {"error": f"{type(error).__name__}: {error}"}
        report = error.report
    told |= {
        "limits": dict(report.limits),
        "notes": [note["kind"] for note in report.diagnostics],
        "version": connections[0].version,
        "pages": pages,
    }
    print(json.dumps(told))


main()
