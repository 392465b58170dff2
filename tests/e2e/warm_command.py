"""Usage: warm_command.py PADDING  (stdin is a socket): ``flowcage``, forked with everything imported.

Each request is how many bytes follow, with the three descriptors of the command, and then the bytes: words,
working folder and environment. It is answered by the id of a process whose parent is that of this one.
Whoever lists processes sees the words of the command, which take the place of PADDING.
"""

import atexit
import ctypes
import fcntl
import gc
import importlib
import itertools
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from flowcage.child.cage import libc
from flowcage.child.cage.architecture import current
from flowcage.host.cli.entry import main

sys.path.append(os.path.dirname(__file__))
forking: Any = importlib.import_module("forking")  # beside this file, for which -I looks nowhere
sys.path.pop()
CLONE_PARENT = 0x00008000  # linux/sched.h
ALWAYS = ("flowcage.host.cli", "flowcage.host.run", "flowcage.conformance")
# What a command needs beside it, or a word that names a store; it is imported for the first that does.
NEEDED = {
    "mcp": ("flowcage.host.cli.mcp", "flowcage.host.cli.mcp.http"),
    "ui": ("flowcage.host.ui", "flowcage.host.ui.api", "flowcage.host.ui.door"),
    "host": ("flowcage.host.rpc", "flowcage.host.tenants"),
    "postgresql": ("flowcage.host.durable.postgres",),
}
loaded: set[str] = set()


def load(*rooms: str) -> None:
    """Import all modules of packages."""
    for room in rooms:
        with suppress(ImportError):  # of an extra that is not installed
            for module in pkgutil.iter_modules(importlib.import_module(room).__path__, f"{room}."):
                importlib.import_module(module.name)


def prepare(request: dict[str, Any]) -> None:
    """Import what a request needs beside it, once."""
    words, store = request["words"], request["env"].get("FLOWCAGE_STORE", "")
    named = {*words[1:2], *(word.partition("=")[2].partition(":")[0] for word in (f"={store}", *words))}
    named |= {word.partition(":")[0] for word in words}
    for name in NEEDED.keys() & named - loaded:
        loaded.add(name)
        load(*NEEDED[name])
        gc.collect()
        gc.freeze()


def fork() -> int:
    """As `os.fork`, but a child of the parent (clone(2), CLONE_PARENT), which reaps it."""
    architecture = current()
    assert architecture is not None
    ctypes.pythonapi.PyOS_BeforeFork()
    pid = libc.syscall(architecture.numbers["clone"], CLONE_PARENT | signal.SIGCHLD.value)
    after = ctypes.pythonapi.PyOS_AfterFork_Parent if pid else ctypes.pythonapi.PyOS_AfterFork_Child
    after()
    return pid


def serve(control: socket.socket) -> None:
    """Fork for each request; returns in what was forked."""
    while True:
        length, descriptors, _flags, _ = socket.recv_fds(control, 8, 8)
        if not length:
            os._exit(0)
        request = json.loads(control.recv(int.from_bytes(length), socket.MSG_WAITALL))
        prepare(request)
        pid = fork()
        if pid == 0:
            control.close()
            become(request, descriptors)
            return
        for descriptor in descriptors:
            os.close(descriptor)
        control.send(pid.to_bytes(8))


def become(request: dict[str, Any], descriptors: list[int]) -> None:
    """The process that the command would have been executed in."""
    place(descriptors, [0, 1, 2, *request["passed"]])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if request["has_session"]:
        os.setsid()
    if request["has_terminal"]:
        forking.take_terminal()
    os.umask(request["umask"])
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    words = request["words"]
    starts_others = {"mcp", "ui", "--detach"} & {*words} and not request["passed"]
    forking.at_work = helper() if starts_others else None
    sys.argv = ["-c", *words[len(forking.ITSELF) :]] if words[0] == sys.executable else words
    show(os.fsencode("\0".join(words)))


def place(descriptors: list[int], wanted: list[int]) -> None:
    """Have descriptors at their numbers, and no others."""
    free = max(*descriptors, *wanted) + 1
    high = [fcntl.fcntl(each, fcntl.F_DUPFD, free) for each in descriptors]
    for descriptor, number in zip(high, wanted, strict=True):
        os.dup2(descriptor, number)
    for first, last in itertools.pairwise([2, *sorted(wanted[3:]), os.sysconf("SC_OPEN_MAX")]):
        os.closerange(first + 1, last)


def helper() -> Any:
    """In a command that starts others: a child of it that forks those; None in that child's children."""
    ours, theirs = socket.socketpair()
    if os.fork():
        theirs.close()
        return forking.Forker(ours)
    ours.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # which a terminal sends to all of its processes
    nothing, control = os.open(os.devnull, os.O_RDWR), theirs.detach()
    place([nothing, nothing, nothing, control], [0, 1, 2, control])
    serve(socket.socket(fileno=control))
    carry_out()
    raise AssertionError


def show(words: bytes) -> None:
    """Have /proc/PID/cmdline tell these words."""
    with open("/proc/self/stat") as file:
        start, end = map(int, file.read().rpartition(")")[2].split()[45:47])  # proc(5): arg_start, arg_end
    ctypes.memmove(start, words.ljust(end - start, b"\0"), end - start)


def carry_out() -> None:
    """Run the command; to take all modules down at its end would cost as much as many a command."""
    try:
        main()
    except SystemExit as end:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        if isinstance(end.code, int):
            os._exit(end.code)
        raise
    os._exit(0)


subprocess.Popen = forking.Popen  # type: ignore[misc]
load(*ALWAYS)
gc.collect()
gc.freeze()
serve(socket.socket(fileno=os.dup(0)))
carry_out()
