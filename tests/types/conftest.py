"""Compiles the author's types, the examples and this folder's programs: once for all tests."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flowcage.schemas.loader import author_types

from . import programs
from .report import Report

HERE = Path(__file__).parent
DEADLINE_S = 300


@pytest.fixture(scope="session")
def report(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """What the TypeScript compiler says."""
    require_node()
    session = tmp_path_factory.getbasetemp()
    if hasattr(pytestconfig, "workerinput"):  # pytest-xdist: the workers share one compilation
        session = session.parent
    assert pytestconfig.cache is not None
    cache = pytestconfig.cache.mkdir("typescript")
    with locked(cache / "lock"):
        install(cache)
        answer = session / "types.json"
        if not answer.exists():
            answer.write_text(compiled(cache, session / "types"), encoding="utf-8")
    return Report.from_json(answer.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def node_modules(pytestconfig: pytest.Config) -> Path:
    """The folder with the packages that package-lock.json pins."""
    return installed(pytestconfig, "typescript", HERE)


def installed(pytestconfig: pytest.Config, name: str, pins: Path) -> Path:
    """The folder with the packages that a package-lock.json pins, kept under a name for later tests."""
    require_node()
    assert pytestconfig.cache is not None
    cache = pytestconfig.cache.mkdir(name)
    with locked(cache / "lock"):
        install(cache, pins)
    return cache / "node_modules"


def require_node() -> None:
    """Skip where there is no node."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program} on this machine to run the TypeScript compiler with")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes out."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def install(cache: Path, pins: Path = HERE) -> None:
    """Install the packages that the package-lock.json in a folder pins, unless they are there."""
    wanted = (pins / "package-lock.json").read_bytes()
    present = cache / "installed.json"
    if present.exists() and present.read_bytes() == wanted:
        return
    for name in ("package.json", "package-lock.json"):
        shutil.copy(pins / name, cache)
    try:
        run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(cache))
    except AssertionError as error:
        if "CI" in os.environ:  # there the compiler must be had
            raise
        pytest.skip(f"npm cannot install the packages of {pins} here: {error}")
    present.write_bytes(wanted)


def compiled(cache: Path, project: Path) -> str:
    """Lay out the project and compile it; return the report as JSON."""
    project.mkdir(exist_ok=True)
    (project / "workflow.d.ts").write_text(author_types(), encoding="utf-8")
    shutil.copy(HERE / "tsconfig.json", project)
    for name, text in programs.all_of_them().items():
        (project / name).write_text(text, encoding="utf-8")
    typescript = cache / "node_modules" / "typescript"
    return run("node", str(HERE / "compile.mjs"), str(typescript), str(project))


def run(*command: str) -> str:
    """Run a program that must succeed; return its stdout."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}{done.stdout}"
    return done.stdout
