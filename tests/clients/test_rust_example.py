"""The example in Rust is built as its page says, and runs workflows with `flowcage host`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ..e2e.command import FLOWCAGE
from .suites import DEADLINE_S, require

pytestmark = pytest.mark.thorough

EXAMPLE = Path(__file__).parents[2] / "examples" / "rust"
# Where Debian's librust-*-dev packages are.
DEBIAN = Path("/usr/share/cargo/registry")
SOURCES = f'[source.crates-io]\nreplace-with = "debian"\n\n[source.debian]\ndirectory = "{DEBIAN}"\n'


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, built with Debian's compiler and packages."""
    cargo = "/usr/bin/cargo" if os.access("/usr/bin/cargo", os.X_OK) else require("cargo")
    if not list(DEBIAN.glob("serde_json-1*")):
        pytest.skip("librust-serde-json-dev is not installed here")
    folder = tmp_path_factory.mktemp("rust")
    shutil.copytree(EXAMPLE, folder / "example", ignore=shutil.ignore_patterns("target"))
    (folder / "example" / ".cargo").mkdir()
    (folder / "example" / ".cargo" / "config.toml").write_text(SOURCES)
    compiler = Path(cargo).with_name("rustc")
    environment = {
        **os.environ,
        "RUSTC": str(compiler),
        "RUSTFLAGS": "--deny warnings",
        "CARGO_HOME": str(folder),
    }
    done = subprocess.run(
        [cargo, "build", "--offline", "--target-dir", str(folder / "target")],
        cwd=folder / "example",
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "target" / "debug" / "flowcage-example"


def run(program: Path, folder: Path, source: str, *args: str) -> tuple[int, str, str]:
    (folder / "w.js").write_text(source, encoding="utf-8")
    path = f"{Path(FLOWCAGE).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [program, "w.js", *args],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_agents_are_answered_in_any_order(program: Path, tmp_path: Path) -> None:
    source = "return parallel(args.map((name) => () => agent('hello ' + name)))"
    assert run(program, tmp_path, source, '["ada", "łinus"]') == (0, '["HELLO ADA","HELLO ŁINUS"]\n', "")


def test_a_run_without_a_result_is_told_with_its_verdict(program: Path, tmp_path: Path) -> None:
    status, out, err = run(program, tmp_path, "throw new Error('no such thing')")
    assert (status, out) == (1, "")
    assert "failed" in err
    assert "no such thing" in err


def test_a_call_that_the_agent_refuses_rejects(program: Path, tmp_path: Path) -> None:
    source = "export default agent('').catch((error) => error.message)"
    assert run(program, tmp_path, source) == (0, '"there is nothing to answer"\n', "")


def test_arguments_that_are_no_json_are_refused(program: Path, tmp_path: Path) -> None:
    status, _, err = run(program, tmp_path, "return 1", "{")
    assert status == 1
    assert "ARGS" in err
