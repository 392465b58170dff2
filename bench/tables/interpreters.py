"""The CPythons of this machine, and a virtual environment for each, with flowcage and its peers in it."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).resolve().parents[2]
ENGINE = "quickjs-ng"
PEERS = ("pydantic-monty", "deno")
# Told by the interpreter itself. A loop of calls, in ms, says how fast it is beside the others of a table.
DESCRIBE = """
import json, sys, sysconfig, time
def loop():
    add, counts = (lambda number: number + 1), {}
    for number in range(60_000):
        counts[number & 255] = add(number)
def seconds():
    began = time.thread_time()
    loop()
    return time.thread_time() - began
arguments = sysconfig.get_config_var("CONFIG_ARGS") or ""
print(json.dumps({
    "version": sys.version.split()[0],
    "path": sys.executable,
    "is_optimised": "--enable-optimizations" in arguments,
    "loop_ms": min(seconds() for _ in range(20)) * 1000,
}))
"""


class Interpreter(NamedTuple):
    """A CPython.

    Attributes:
        version: such as 3.12.1.
        path: its program.
        is_optimised: whether it was configured with --enable-optimizations (PGO). Debian builds with PGO
            without that, and nothing in the program tells: then it is False, too.
        loop_ms: CPU of a loop of 60,000 calls, the least of 20.
    """

    version: str
    path: str
    is_optimised: bool
    loop_ms: float

    def described(self) -> str:
        """Text for the head of a table."""
        built = "built with PGO" if self.is_optimised else "not configured for PGO (unknown)"
        return f"CPython {self.version}: {built}; 60,000 calls in {self.loop_ms:.2f} ms"


def describe(path: str) -> Interpreter:
    """Ask an interpreter about itself."""
    done = subprocess.run((path, "-I", "-c", DESCRIBE), capture_output=True, text=True, check=True)
    return Interpreter(**json.loads(done.stdout))


def installed() -> list[str]:
    """One CPython of each version from 3.11 on: those of pyenv, and this machine's own."""
    found = sorted(Path.home().glob(".pyenv/versions/3.1[1-9].*/bin/python3"), key=_number)
    system = Path("/usr/bin/python3")
    if system.exists() and not system.samefile(sys.base_prefix + "/bin/python3"):
        found.append(system)
    return [str(path) for path in found if _is_recent(path)]


def _number(path: Path) -> list[int]:
    return [int(part) for part in path.parent.parent.name.split(".")]


def _is_recent(path: Path) -> bool:
    recent = "import sys; sys.exit(sys.version_info < (3, 11))"
    return subprocess.run((path, "-c", recent), capture_output=True).returncode == 0


def environment(path: str, cache: Path) -> str:
    """The Python of a virtual environment with this checkout and the peers; made once, kept in `cache`."""
    name = hashlib.sha256(f"{path} {CHECKOUT} {PEERS}".encode()).hexdigest()[:12]
    folder = cache / name
    python = str(folder / "bin" / "python")
    ready = folder / ".ready"
    if not ready.exists():
        print(f"making an environment for {path} in {folder}", file=sys.stderr)
        subprocess.run((path, "-m", "venv", "--clear", folder), check=True)
        pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        if shutil.which("cc"):  # as make does: the engine from source is 2 to 3 times as fast as its wheel
            subprocess.run((*pip, "--no-cache-dir", "--no-binary", ENGINE, f"{ENGINE}<0.18"), check=True)
        subprocess.run((*pip, "-e", str(CHECKOUT), *PEERS), check=True)
        ready.touch()
    return python
