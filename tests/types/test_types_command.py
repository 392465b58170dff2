"""``flowcage types``."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ..e2e.command import FLOWCAGE

DECLARATIONS = Path(__file__).parents[2] / "schemas" / "workflow.d.ts"


def test_types_prints_the_declarations_byte_for_byte() -> None:
    done = subprocess.run([FLOWCAGE, "types"], capture_output=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == DECLARATIONS.read_bytes()
