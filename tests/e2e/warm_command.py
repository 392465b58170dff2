"""Usage: warm_command.py PADDING  (stdin is a socket): ``flowcage``, forked with everything imported.

Each request is how many bytes follow, with the three descriptors of the command, and then the bytes: words,
working folder and environment. It is answered by the id of a process whose parent is that of this one.
Whoever lists processes sees the words of the command, which take the place of PADDING.
"""

import atexit
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from flowcage.child.cage import libc
from flowcage.child.cage.architecture import current
from flowcage.host.cli.entry import main

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
        length, descriptors, _flags, _ = socket.recv_fds(control, 8, 3)
        if not length:
            sys.exit()
        request = json.loads(control.recv(int.from_bytes(length), socket.MSG_WAITALL))
        prepare(request)
        pid = fork()
        if pid == 0:
            become(request, descriptors)
            return
        for descriptor in descriptors:
            os.close(descriptor)
        control.send(pid.to_bytes(8))


def become(request: dict[str, Any], descriptors: list[int]) -> None:
    """The process that the command would have been executed in."""
    for wanted, descriptor in enumerate(descriptors):
        os.dup2(descriptor, wanted)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    if request["has_session"]:
        os.setsid()
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    sys.argv = request["words"]
    show("\0".join(sys.argv).encode())


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


load(*ALWAYS)
gc.collect()
gc.freeze()
serve(socket.socket(fileno=os.dup(0)))
carry_out()
