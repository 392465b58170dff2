"""Shared by the tables of bench/host.py: quotas that never bind, the installed peers, the layout."""

from __future__ import annotations

import importlib
import os
import shutil
import statistics
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from flowcage.host import TenantLimits

PLENTY = TenantLimits(
    max_runs=2_000, max_agents=2_000, runs_per_minute=10**7, cpu_seconds_per_minute=10**6, max_queued=10_000
)
TRIVIAL = "export default 1"


def find(program: str) -> str | None:
    """A program on the path, or beside this interpreter, where pip puts it."""
    return shutil.which(program) or shutil.which(program, path=os.path.dirname(sys.executable))


def commands(folder: Path, module: str) -> dict[str, list[str]]:
    """Commands that run a module as a process, by name of the peer."""
    file = folder / "module.mjs"
    file.write_text(module)
    found = {"node": ["node", str(file)], "deno": ["deno", "run", "--quiet", str(file)]}
    return {name: [program, *words[1:]] for name, words in found.items() if (program := find(name))}


def monty() -> Any:
    """The module of pydantic-monty, or None where it is not installed."""
    with suppress(ImportError):
        return importlib.import_module("pydantic_monty")
    return None


def table(title: str, unit: str, rows: dict[str, list[float]], *, more_is_better: bool = False) -> None:
    """Print medians and extremes, and each median as a multiple of the first row's."""
    own = statistics.median(next(iter(rows.values())))
    print(f"\n{title}; {unit}\n{'':<34}{'median':>10}{'min':>10}{'max':>10}{'first row is':>18}")
    for name, values in rows.items():
        median = statistics.median(values)
        ratio = own / median if more_is_better else median / own
        word = f"{ratio:.2f}x better" if ratio >= 1 else f"{1 / ratio:.2f}x worse"
        print(f"{name:<34}{median:>10.2f}{min(values):>10.2f}{max(values):>10.2f}{word:>18}")
