"""Cells of a notebook, in a real kernel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from .loops import DEADLINE

CELLS = {
    "run": """
from flowcage import AgentAnswer, RunOptions
from flowcage.asyncio import Host, run_workflow

async def shout(call):
    return AgentAnswer(call.prompt.upper())

options = RunOptions(agent=shout)
(await run_workflow("return agent('hi')", options=options)).result
""",
    "host": """
import asyncio

async with Host(options=options) as host:
    outcomes = await asyncio.gather(*[host.run(f"return agent('n{n}')") for n in range(3)])
[outcome.result for outcome in outcomes]
""",
    "cancel": """
import psutil
at_work = asyncio.Event()

async def endless(call):
    at_work.set()
    await asyncio.Event().wait()

task = asyncio.create_task(run_workflow("return agent('x')", options=RunOptions(agent=endless)))
await at_work.wait()
me = psutil.Process()
children = me.children(recursive=True)
task.cancel()
await asyncio.wait([task])
[len(children), task.cancelled(), [each.is_running() for each in children]]
""",
    "again": """(await run_workflow("return agent('again')", options=options)).result""",
}
PROGRAM = """
import json, sys
import nbformat
from nbclient import NotebookClient

cells = [nbformat.v4.new_code_cell(source) for source in json.load(sys.stdin)]
notebook = nbformat.v4.new_notebook(cells=cells)
NotebookClient(notebook, kernel_name="python3", timeout=None).execute()
print(json.dumps([[each.data["text/plain"] for each in cell.outputs] for cell in notebook.cells]))
"""


def test_cells_await_runs_and_cancel_them(tmp_path: Path) -> None:
    assert not any("trio" in cell for cell in CELLS.values())
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(list(CELLS.values())),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "IPYTHONDIR": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = dict(zip(CELLS, json.loads(done.stdout), strict=True))
    assert found == {
        "run": ["'HI'"],
        "host": ["['N0', 'N1', 'N2']"],
        "cancel": ["[1, True, [False]]"],
        "again": ["'AGAIN'"],
    }
