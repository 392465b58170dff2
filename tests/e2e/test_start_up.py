"""What only tells of the program imports none of the libraries that runs need."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .command import DEADLINE

COMMANDS = ["run", "check", "types", "doctor", "schema", "conformance", "serve", "report", "workflows"]
HEAVY = {"trio", "rich", "jsonschema", "jsonschema_rs", "psutil", "importlib.metadata", "tree_sitter"}


def imported_by(*words: str) -> set[str]:
    """The modules that a command has imported when it ends well, as the interpreter tells them."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "flowcage.host.cli.entry", *words],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=True,
    )
    assert done.stdout
    return set(re.findall(r"^import time:.*\| +(\S+)$", done.stderr, re.MULTILINE))


@pytest.mark.parametrize(
    "words", [("--version",), ("--help",), ("-h",), *((name, "--help") for name in COMMANDS)]
)
def test_version_and_help_import_nothing_that_is_slow(words: tuple[str, ...]) -> None:
    imported = imported_by(*words)
    assert "click" in imported
    assert imported & HEAVY == set()


def test_a_run_imports_what_asks_providers_only_for_an_agent_that_does(tmp_path: Path) -> None:
    (tmp_path / "w.js").write_text("export default agent('x')")
    words = ("run", str(tmp_path / "w.js"), "--quiet", "--no-store", "--agent")
    imported = imported_by(*words, "mock")
    assert "trio" in imported
    assert imported & {"httpx", "httpcore", "anyio"} == set()


def test_the_same_look_finds_what_a_command_needs() -> None:
    assert imported_by("doctor") >= {"trio", "psutil"}
