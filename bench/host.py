"""flowcage beside its peers, in turns: latency, rate, round trips, memory, scaling; wall clock and CPU.

    python bench/host.py [--python PATH]... [--rounds N] [--rows WORDS] [--cache FOLDER] [--json FILE]

Prints the tables of docs/performance.md in Markdown. Without ``--python`` it measures this interpreter, or
with ``--all`` one CPython of each version that the machine has; for others than this one it makes a virtual
environment in the cache folder, with flowcage and the peers.

All contenders of all interpreters take turns, a short batch each, so that a slow moment affects all of them;
medians and minima of the batches are compared. Each contender is a process of its own (bench/contenders).
Peers run at the niceness of flowcage's children, whose host runs at 0. A peer that is not installed is left
out: ``pip install -e .[bench]``; node is looked up on the path.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tables.interpreters import Interpreter, describe, environment, installed
from tables.markdown import Measured, Record, tables
from tables.rows import GROUPS, PER_MACHINE, Group, Row

NICENESS = 5  # flowcage.child.cage.process._NICENESS
SIDE = Path(__file__).with_name("contenders") / "side.py"
CACHE = Path.home() / ".cache" / "flowcage-bench"


class Contender:
    """A process of bench/contenders/side.py."""

    def __init__(self, name: str, python: str, cores: set[int]) -> None:
        self._process = subprocess.Popen(
            (python, str(SIDE), name),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # A session of its own is a group of its own for the scheduler (sched(7), autogroup).
            start_new_session=True,
            preexec_fn=_prepare(0 if name in ("host", "zygote", "exec") else NICENESS, cores),
        )

    def ask(self, question: dict[str, Any]) -> Any:
        """Have a batch measured, and return what was measured."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"a contender has ended: {self._process.args!r}")
        return json.loads(answer)

    def close(self) -> None:
        """Let the process end, and reap it."""
        self._process.communicate()


def _prepare(niceness: int, cores: set[int]) -> Callable[[], None]:
    def in_the_child() -> None:
        os.nice(niceness)
        os.sched_setaffinity(0, cores)

    return in_the_child


def is_installed(name: str, python: str) -> bool:
    """Whether a contender can run: what it needs is there."""
    needs = {
        "monty": "import pydantic_monty",
        "deno": "import deno",
        "node": "import shutil, sys; sys.exit(not shutil.which('node'))",
    }
    done = subprocess.run((python, "-c", needs.get(name, "pass")), capture_output=True)
    return done.returncode == 0


def measure(group: Group, interpreters: dict[str, Interpreter], rounds: int) -> list[Record]:
    """All rows of a group: each contender of each interpreter in turn, for so many rounds."""
    cores = set(sorted(os.sched_getaffinity(0))[: group.cores])
    contenders = {}
    for number, python in enumerate(interpreters):
        for name in group.contenders:
            if (number == 0 or name not in PER_MACHINE) and is_installed(name, python):
                contenders[python, name] = Contender(name, python, cores)
    records: list[Record] = []
    for row in group.rows:
        found: dict[tuple[str, str], list[Any]] = {who: [] for who in contenders if who[1] in row.contenders}
        for turn in range(row.rounds(rounds) + 1):
            for who, answers in found.items():
                answer = contenders[who].ask(row.question)
                if turn or row.rounds(rounds) == 1:  # the first turn warms up
                    answers.append(answer)
            print(".", end="", file=sys.stderr, flush=True)
        records += [_record(row, interpreters[who[0]], who[1], answers) for who, answers in found.items()]
    for contender in contenders.values():
        contender.close()
    return records


def _record(row: Row, interpreter: Interpreter, contender: str, answers: list[Any]) -> Record:
    values: dict[str, list[float]] = {}
    for answer in answers:
        parts = answer if isinstance(answer, dict) else {"": answer}
        for name, value in parts.items():
            values.setdefault(name, []).extend(value if isinstance(value, list) else [value])
    return Record(row.name, row.unit, interpreter.version, contender, values)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--python", action="append", default=[], metavar="PATH")
    parser.add_argument("--all", action="store_true", help="one CPython of each version that is installed")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--rows", default="", help="only groups with these words in their name")
    parser.add_argument("--cache", type=Path, default=CACHE, metavar="FOLDER")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args()


def _machine() -> str:
    kernel, _, _ = platform.release().partition("-")
    return f"{os.cpu_count()} cores, {platform.system()} {kernel} {platform.machine()}"


def main() -> None:
    """Measure and print."""
    given = _arguments()
    paths = given.python or (installed() if given.all else [])
    pythons = [environment(path, given.cache) for path in paths] or [sys.executable]
    interpreters = {python: describe(python) for python in pythons}
    records: list[Record] = []
    for group in GROUPS:
        if given.rows in group.name:
            records += measure(group, interpreters, given.rounds)
    print(file=sys.stderr)
    measured = Measured(
        datetime.date.today().isoformat(),
        _machine(),
        list(interpreters.values()),
        records,
    )
    if given.json:
        given.json.write_text(json.dumps(measured.to_json(), indent=1))
    print(tables(measured))


if __name__ == "__main__":
    main()
