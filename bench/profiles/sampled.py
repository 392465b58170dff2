"""The CPU of a workload by process and by what it was used for, from stacks that perf(1) has sampled."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tables.markdown import table

_PROGRAM = Path(__file__).with_name("workloads.py")
_PROCESSES = ("host", "zygote", "child")
_SAMPLES_A_SECOND = 4_000
COUNTS = {"runs": 500, "trips": 5_000}
_TITLES = {"runs": "a trivial run, µs of CPU", "trips": "a round trip, µs of CPU"}
# The first that is somewhere in a sample's stack is what the sample is of; of the kernel's.
_OF_THE_KERNEL = (
    ("exit of a process", re.compile(r"do_exit|do_group_exit|release_task|exit_mmap")),
    ("page faults", re.compile(r"exc_page_fault")),
    ("fork", re.compile(r"kernel_clone|copy_process|ret_from_fork")),
    ("system calls of the cage", re.compile(
        r"prlimit|prctl|seccomp|landlock|setpgid|close_range|capset|setres[ug]id|setgroups|unshare|mprotect")),
    ("waiting: epoll, wait4, switches", re.compile(r"epoll|poll|wait4|waitid|schedule")),
    ("other system calls", re.compile(r"syscall")),
)  # fmt: skip
# Of the shared object that the innermost frame is in.
_OF_OBJECTS = (
    ("QuickJS", re.compile(r"quickjs")),
    ("msgspec", re.compile(r"msgspec")),
    ("Python", re.compile(r"python|\.cpython-|math|_struct|_socket|select|array")),
    ("C library, libffi", re.compile(r"libc[.-]|libffi|ld-linux|libm[.-]|vdso|pthread")),
)
_OTHER = "interrupts, and what has no name"


def sampled(name: str, count: int = 0) -> str:
    """A Markdown table of one workload; without perf, of the processes alone."""
    count = count or COUNTS[name]
    figures, samples = _measured(name, count)
    spent = {each: figures[each] / count * 1e6 for each in _PROCESSES if figures[each]}
    rows = [_row(kind, spent, samples) for kind in _kinds(samples)]
    rows.append(["in all", *(f"{value:.0f}" for value in spent.values())])
    if figures["faults"]:
        rows.append(["page faults", *("" for _ in list(spent)[1:]), f"{figures['faults'] / count:.0f}"])
    return table([f"{_TITLES[name]}, mean of {count}; CPython {sys.version.split()[0]}", *spent], rows)


def _row(kind: str, spent: dict[str, float], samples: dict[str, Counter[str]]) -> list[str]:
    """What the kernel has counted for a process, shared out by its samples."""
    shares = {each: samples[each][kind] / max(1, samples[each].total()) for each in spent}
    return [kind, *(f"{spent[each] * share:.0f}" if share else "" for each, share in shares.items())]


def _kinds(samples: dict[str, Counter[str]]) -> list[str]:
    every = sum(samples.values(), Counter[str]())
    return [kind for kind, _ in every.most_common()]


def _measured(name: str, count: int) -> tuple[dict[str, Any], dict[str, Counter[str]]]:
    command = [sys.executable, str(_PROGRAM), name, str(count)]
    figures = _figures(command)  # those of a session of its own, because sampling takes time, too
    if shutil.which("perf") is None:
        return figures, {each: Counter() for each in _PROCESSES}
    with tempfile.TemporaryDirectory() as folder:
        fifos = [os.path.join(folder, each) for each in ("control", "acknowledged")]
        for fifo in fifos:
            os.mkfifo(fifo)
        data = os.path.join(folder, "data")
        watching = ("perf", "record", "-q", "-g", "-e", "cpu-clock", "-F", str(_SAMPLES_A_SECOND), "-D", "-1")
        sampled = _figures(
            [*watching, "-o", data, f"--control=fifo:{','.join(fifos)}", "--", *command, *fifos]
        )
        return figures, _samples(data, {sampled["pid"]: "host", sampled["of"]: "zygote"})


def _figures(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _samples(data: str, names: dict[int, str]) -> dict[str, Counter[str]]:
    samples = {each: Counter[str]() for each in _PROCESSES}
    for pid, stack in _stacks(data):
        samples[names.get(pid, "child")][_kind(stack)] += 1
    return samples


def _stacks(data: str) -> Iterator[tuple[int, list[str]]]:
    """Process and frames of each sample, the innermost first."""
    command = ("perf", "script", "-i", data, "-F", "pid,ip,sym,dso")
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    for part in done.stdout.split("\n\n"):
        head, *frames = part.strip("\n").splitlines() or [""]
        if head.strip().isdigit() and frames:
            yield int(head), frames


def _kind(stack: list[str]) -> str:
    if "[kernel" in stack[0]:
        kernel = "\n".join(frame for frame in stack if "[kernel" in frame)
        return next((kind for kind, names in _OF_THE_KERNEL if names.search(kernel)), _OTHER)
    where = stack[0].rpartition("(")[2]
    return next((kind for kind, names in _OF_OBJECTS if names.search(where)), _OTHER)
