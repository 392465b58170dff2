"""The modules of a program are kept in one file, and taken from it while their sources are the same."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import flowcage

DEADLINE_S = 120.0
PROGRAM = f"test.kept-{os.getpid()}"  # of this worker alone: others test beside it
RUN = f"""
import os, sys
os.umask(0o077)
sys.path.insert(0, sys.argv[1])
from flowcage._kept_modules import keep, use
use({PROGRAM!r})
import kept_sample, _queue, json.decoder
keep()
print(kept_sample.VALUE, kept_sample.__file__, type(json.decoder.__loader__).__name__, kept_sample.__loader__)
"""


class Program:
    """A program that imports a module of `folder`, and keeps it."""

    def __init__(self, folder: Path) -> None:
        self.module = folder / "kept_sample.py"
        self.write("'first'")

    def write(self, value: str) -> None:
        self.module.write_text(f"VALUE = {value}\n")

    def run(self, *options: str) -> tuple[str, bool]:
        """The module's value, and whether it was taken from the file."""
        command = (sys.executable, "-I", *options, "-c", RUN, str(self.module.parent))
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=True)
        value, file, _, loader = done.stdout.split(maxsplit=3)
        assert file == str(self.module)
        return value, "_kept_modules" in loader

    @staticmethod
    def files() -> list[Path]:
        return list(Path(flowcage.__file__).with_name("__pycache__").glob(f"{PROGRAM}.*"))


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    yield Program(tmp_path)
    for file in Program.files():
        file.unlink()


def test_the_second_start_takes_the_modules_from_the_file(program: Program) -> None:
    assert program.run() == ("first", False)
    assert program.run() == ("first", True)
    [file] = program.files()
    assert file.stat().st_mode & 0o777 == 0o644  # for all users, whatever the umask of the first was


def test_a_source_that_changed_is_imported_and_then_kept_again(program: Program) -> None:
    program.run()
    program.write("'another'")
    assert program.run() == ("another", False)
    assert program.run() == ("another", True)


def test_a_source_that_is_gone_is_not_imported(program: Program) -> None:
    program.run()
    program.module.unlink()
    with pytest.raises(subprocess.CalledProcessError) as caught:
        program.run()
    assert "No module named 'kept_sample'" in caught.value.stderr


@pytest.mark.parametrize("length", [0, 3, 8, 100, -1000])
def test_a_damaged_file_is_not_used_and_is_written_anew(program: Program, length: int) -> None:
    program.run()
    [file] = program.files()
    file.write_bytes(file.read_bytes()[:length])
    assert program.run() == ("first", False)
    assert program.run() == ("first", True)


def test_nothing_is_kept_where_no_bytecode_is_to_be_written(program: Program) -> None:
    program.run("-B")
    assert program.files() == []


def test_another_path_has_a_file_of_its_own(program: Program, tmp_path: Path) -> None:
    program.run()
    other = tmp_path / "other"
    other.mkdir()
    assert Program(other).run() == ("first", False)
    assert len(program.files()) == 2


def test_a_source_that_is_wrong_by_now_is_not_kept_and_does_no_harm(program: Program) -> None:
    program.write("'first'; import os; os.truncate(__file__, 0); open(__file__, 'w').write('(')")
    assert program.run() == ("first", False)
    assert program.files() == []


def test_where_no_file_can_be_opened_nothing_is_kept(program: Program) -> None:
    limited = RUN.replace("import os, sys", "import os, sys, resource").replace(
        "keep()", "resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0)); keep()"
    )
    command = (sys.executable, "-I", "-c", limited, str(program.module.parent))
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    assert done.stdout.startswith("first ")
    assert program.files() == []
