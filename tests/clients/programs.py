"""Small hosts written with the clients."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from .suites import CLIENTS, require

DEADLINE_SECONDS = 120.0
# Makes the program in a folder, of its text in JavaScript and in Go; its command.
Program: TypeAlias = Callable[[Path, str, str], list[str]]


def node_program(folder: Path, javascript: str, _go: str) -> list[str]:
    """A host in JavaScript; CLIENT stands for the client's folder."""
    node = require("node")
    (folder / "host.mjs").write_text(javascript.replace("CLIENT", str(CLIENTS / "node")))
    return [node, str(folder / "host.mjs")]


def go_program(folder: Path, _javascript: str, go_text: str) -> list[str]:
    """A host in Go."""
    go = require("go")
    (folder / "main.go").write_text(go_text)
    (folder / "go.mod").write_text(
        "module host\n\ngo 1.19\n\nrequire flowcage.dev/flowcage v0.0.0\n\n"
        f"replace flowcage.dev/flowcage => {CLIENTS / 'go'}\n"
    )
    subprocess.run([go, "build", "-o", "host", "."], cwd=folder, check=True, timeout=DEADLINE_SECONDS)
    return [str(folder / "host")]


BOTH = pytest.mark.parametrize("program", [node_program, go_program], ids=["node", "go"])
