"""How a child's interpreter is started: without `site` where all is found without it."""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
from pathlib import Path

import pytest

from flowcage._child_command import child_command, without_site

MAIN = "flowcage.child.__main__"
DEADLINE_S = 120.0
# Stands for the program: it loads what a child loads, and tells where from.
PROBE = """
import gc, json, sys
from flowcage.child.cage import lockdown
from flowcage.child.engine.context import library
import flowcage.child.checker.schema, flowcage.child.session
library()
files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
ours = ("flowcage", "tree_sitter", "_quickjs", "jsonschema_rs")
print(json.dumps({
    "files": {name: file for name, file in files.items() if name.startswith(ours)},
    "site": "site" in sys.modules, "isolated": sys.flags.isolated, "path": sys.path,
}))
"""


def probe(*command: str, **variables: str) -> dict[str, object]:
    done = subprocess.run(
        command, capture_output=True, env={"TZ": "UTC0", **variables}, cwd="/", timeout=DEADLINE_S, check=True
    )
    loaded: dict[str, object] = json.loads(done.stdout)
    return loaded


def test_it_loads_the_same_files_as_with_site_and_does_not_load_site() -> None:
    command = child_command("flowcage.child", MAIN)
    assert command[:-1] == (sys.executable, "-I", "-S", "-c")
    fast = probe(*command[:-1], command[-1].partition("from flowcage")[0] + PROBE)
    slow = probe(sys.executable, "-I", "-c", PROBE)
    assert fast["files"] == slow["files"]
    assert (fast["site"], slow["site"]) == (False, True)
    assert fast["isolated"] == 1


def test_neither_the_current_folder_nor_a_variable_is_on_its_path(tmp_path: Path) -> None:
    (tmp_path / "tree_sitter.py").write_text("raise SystemExit('a stranger')")
    command = child_command("flowcage.child", MAIN)
    loaded = probe(*command[:-1], command[-1].partition("from flowcage")[0] + PROBE, PYTHONPATH=str(tmp_path))
    assert isinstance(loaded["path"], list)
    assert {"", ".", str(tmp_path)}.isdisjoint(loaded["path"])
    assert all(os.path.isabs(folder) for folder in loaded["path"])


def test_a_package_that_is_not_in_site_packages_needs_site(monkeypatch: pytest.MonkeyPatch) -> None:
    assert without_site(MAIN) is not None
    monkeypatch.setattr(site, "getsitepackages", lambda: ["/nowhere"])
    assert without_site(MAIN) is None
    assert child_command("flowcage.child", MAIN) == (sys.executable, "-I", "-m", "flowcage.child")


def test_a_child_that_will_execute_itself_anew_has_imported_next_to_nothing() -> None:
    command = child_command("flowcage.child", MAIN)
    imports = command[-1].removesuffix("main()")
    done = subprocess.run(
        [*command[:-1], f"{imports}print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    assert MAIN in done.stdout.split()
    assert {"typing", "re", "enum", "contextlib", "functools", "ctypes"}.isdisjoint(done.stdout.split())
