"""What comes with the core of a run, in a fresh interpreter; `.importlinter` holds the same without one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CORE = Path(__file__).parents[2] / "host" / "run" / "core"
PURE = sorted(
    ".".join(path.relative_to(CORE).with_suffix("").parts)
    for path in CORE.rglob("*.py")
    if path.stem != "__init__"
)
PROGRAM = """
import importlib, sys
before = set(sys.modules)
for name in sys.argv[1:]:
    importlib.import_module(f"flowcage.host.run.core.{name}")
print(*sorted(set(sys.modules) - before))
"""


def test_the_core_imports_the_protocol_and_the_standard_library_only() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, *PURE], capture_output=True, text=True, check=True)
    # `_hints` stands for typing in the protocol.
    core = "flowcage.host.run.core"
    packages = {"flowcage", "flowcage._hints", "flowcage.host", "flowcage.host.run", core, f"{core}.agents"}
    ours = packages | {f"{core}.{name}" for name in PURE}

    loaded = set(done.stdout.split())
    assert ours < loaded
    protocol = {name for name in loaded if name.startswith("flowcage.protocol")} | {"flowcage._hints"}
    others = loaded - ours - protocol
    assert {name for name in others if name.partition(".")[0] not in sys.stdlib_module_names} == set()
