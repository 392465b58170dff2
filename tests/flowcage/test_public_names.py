"""The public names: the same in the table, for type checkers, in ``__all__``, `dir`, `help` and the page."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import pydoc
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import flowcage
import flowcage.agents
import flowcage.asgi
import flowcage.asyncio
import flowcage.errors
import flowcage.events
import flowcage.host.agents.errors
import flowcage.host.outcome.errors
import flowcage.sealing

DOORS = [
    *(flowcage, flowcage.events, flowcage.agents, flowcage.asgi, flowcage.asyncio, flowcage.errors),
    flowcage.sealing,
]
PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text()
EACH_DOOR = pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)


def names_of(door: ModuleType) -> list[str]:
    """Its ``__all__``, which type checkers do not see."""
    names: list[str] = vars(door)["__all__"]
    return names


def table_of(door: ModuleType) -> dict[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = vars(door)["_HOMES"]
    return table


def for_type_checkers(door: ModuleType) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What is imported where TYPE_CHECKING is true, by module; every name must be given out again."""
    assert door.__file__ is not None
    for node in ast.parse(Path(door.__file__).read_text()).body:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for statement in node.body:
                if isinstance(statement, ast.ImportFrom):
                    assert all(alias.asname == alias.name for alias in statement.names)
                    yield str(statement.module), tuple(alias.name for alias in statement.names)


def on_the_page(door: ModuleType) -> list[str]:
    section = PAGE.split(f"## `{door.__name__}`\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


def python(program: str, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, *options, "-c", program], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@EACH_DOOR
def test_type_checkers_see_what_the_table_has(door: ModuleType) -> None:
    assert dict(for_type_checkers(door)) == table_of(door)


@EACH_DOOR
def test_all_and_dir_are_the_table(door: ModuleType) -> None:
    names = sorted(name for names in table_of(door).values() for name in names)
    assert names_of(door) == names
    assert len(set(names)) == len(names)
    assert set(dir(door)) - {"__version__"} == set(names)


@EACH_DOOR
def test_the_page_lists_every_name_once(door: ModuleType) -> None:
    assert sorted(on_the_page(door)) == names_of(door)


@EACH_DOOR
def test_every_name_is_that_of_its_home(door: ModuleType) -> None:
    for home, names in table_of(door).items():
        for name in names:
            assert getattr(door, name) is getattr(importlib.import_module(home), name)


@EACH_DOOR
def test_help_shows_every_name(door: ModuleType) -> None:
    shown = pydoc.plain(pydoc.render_doc(door))
    assert [name for name in names_of(door) if not re.search(rf"\b{name}\b", shown)] == []


@EACH_DOOR
def test_all_names_can_be_imported_at_once_but_none_that_there_is_not(door: ModuleType) -> None:
    got: dict[str, object] = {}
    exec(f"from {door.__name__} import *", got)
    assert set(names_of(door)) <= set(got)
    with pytest.raises(ImportError, match="cannot import name 'Nothing'"):
        exec(f"from {door.__name__} import Nothing", got)


def test_the_host_has_the_same_names() -> None:
    assert names_of(flowcage.host) == names_of(flowcage)
    assert all(getattr(flowcage.host, name) is getattr(flowcage, name) for name in names_of(flowcage))


@pytest.mark.parametrize("home", [flowcage.host.outcome.errors, flowcage.host.agents.errors])
def test_every_error_there_is_public(home: ModuleType) -> None:
    ours = {
        name
        for name, value in vars(home).items()
        if isinstance(value, type) and issubclass(value, Exception) and value.__module__ == home.__name__
    }
    assert ours
    assert ours <= set(names_of(flowcage.errors))


def test_the_version_is_that_of_the_distribution() -> None:
    assert flowcage.__version__ == importlib.metadata.version("flowcage")


def test_importing_it_imports_nothing_else() -> None:
    program = (
        "import sys, typing; before = set(sys.modules); import flowcage; print(set(sys.modules) - before)"
    )
    assert set(ast.literal_eval(python(program, "-I"))) - {"__future__"} == {"flowcage"}


def test_a_child_pays_for_none_of_the_names() -> None:
    program = "import sys, flowcage.child.__main__; print(*sorted(sys.modules))"
    loaded = set(python(program, "-I").split())
    assert loaded & {"flowcage._lazy", "flowcage.host", "trio", "importlib.metadata"} == set()


def test_an_old_path_fails_with_one_error_that_names_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from flowcage.host.host import Host"],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.stderr.count("Error") == 1
    assert done.stderr.endswith("ModuleNotFoundError: No module named 'flowcage.host.host'\n")


@pytest.mark.parametrize("module", ["flowcage", "flowcage.events", "flowcage.host.cli.entry"])
def test_on_windows_one_sentence_says_what_to_do(module: str) -> None:
    program = f"""
import sys
sys.platform = "win32"
try:
    import {module}
except ImportError as error:
    print(error)
"""
    said = python(program, "-I")
    assert said == (
        "flowcage runs on Linux and macOS only: Windows lacks the system calls for the cage; use WSL\n"
    )


def test_a_door_without_its_library_names_the_extra() -> None:
    program = """
import sys
sys.modules["starlette"] = None
try:
    from flowcage.asgi import RunRoutes
except ImportError as error:
    print(error)
"""
    said = "the routes need starlette, which is not installed: pip install 'flowcage[asgi]'"
    assert python(program) == f"{said}\n"
