"""The calls that close a cage, as strace(1) shows them."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_CALLS = (
    "openat,close,setpgid,close_range,setgroups,setresgid,setresuid,unshare,prctl,capset,getppid,"
    "landlock_create_ruleset,landlock_restrict_self,prlimit64,seccomp,setrlimit,setuid,setgid,setsid"
)
_LINE = re.compile(r"(\w+)\((.*)\)\s+= (-?\w+)")
_ONLY_READS = re.compile(r"prlimit64\(.*, NULL, (\{|0x)|.*LANDLOCK_CREATE_RULESET_VERSION")
_FILTER = re.compile(r"filter=\[.*\]")  # has the process's own id; `seccomp.filter_of` has it as bytes
# What an ordinary user's strace may not read of a process that is not dumpable.
_ADDRESS = re.compile(r"0x[0-9a-f]{9,}")


class Strace:
    """Follows a zygote, and all that it forks.

    Attributes:
        command: to put before that of the zygote.
    """

    def __init__(self, folder: str) -> None:
        self._prefix = f"{folder}/of"
        # -D: the zygote stays a child of the process that starts it, and strace is none of its parents.
        options = ("-D", "-ff", "-qq", "-v", "-e", "signal=none", "-e", f"trace={_CALLS}", "-o", self._prefix)
        self.command = ("strace", *options)

    def calls(self, pid: int) -> list[str]:
        """The calls of an ended process that changed something, with its own id replaced.

        Opened files are left out, but for the one that stays open; so is what the kernel refused.
        """
        found, kept = [], set[str]()
        for line in Path(f"{self._prefix}.{pid}").read_text().splitlines():
            match = _LINE.match(line)
            if match is None or match[3] == "-1" or _ONLY_READS.match(line):
                continue
            name, arguments, result = match.groups()
            if name == "landlock_create_ruleset":
                kept.add(result)
            is_passing = (name == "close" and arguments not in kept) or (name == "openat" and result != "5")
            if not is_passing:
                found.append(_plain(pid, f"{name}({arguments}) = {result}"))
        return found


def _plain(pid: int, call: str) -> str:
    call = re.sub(rf"\b{2_000_000_000 + pid}\b", "USER", re.sub(rf"\b{pid}\b", "PID", call))
    call = _ADDRESS.sub("ADDRESS", _FILTER.sub("filter", call))
    return call.replace("setgroups(0, [])", "setgroups(0, NULL)")


@contextmanager
def strace() -> Iterator[Strace]:
    """Have one, or skip the test where there is none, or where it may not look."""
    if shutil.which("strace") is None:
        pytest.skip("no strace here")
    with tempfile.TemporaryDirectory() as folder:
        probe = ("strace", "-D", "-ff", "-o", f"{folder}/probe", "true")
        done = subprocess.run(probe, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"strace may not look here: {done.stderr.strip()[-200:]}")
        yield Strace(folder)
