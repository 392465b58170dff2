"""Usage: warm_command.py  (its stdin is a socket): the ``flowcage`` command, forked with everything imported.

Each request is how many bytes follow, with the three descriptors of the command, and then the bytes: words,
working folder and environment. It is answered by the process id and, later, by the exit status.
"""

import gc
import importlib
import json
import os
import pkgutil
import socket
import sys
from types import ModuleType
from typing import Any

import flowcage.conformance
import flowcage.host.cli
import flowcage.host.run
from flowcage.host.cli.entry import main


def load(room: ModuleType) -> None:
    for module in pkgutil.iter_modules(room.__path__, f"{room.__name__}."):
        importlib.import_module(module.name)


def serve(control: socket.socket) -> None:
    """Fork for each request; returns in what was forked."""
    while True:
        length, descriptors, _flags, _ = socket.recv_fds(control, 8, 3)
        if not length:
            sys.exit()
        request = json.loads(control.recv(int.from_bytes(length), socket.MSG_WAITALL))
        pid = os.fork()
        if pid == 0:
            become(request, descriptors)
            return
        for descriptor in descriptors:
            os.close(descriptor)
        control.send(pid.to_bytes(8))
        _, status = os.waitpid(pid, 0)
        control.send(os.waitstatus_to_exitcode(status).to_bytes(8, signed=True))


def become(request: dict[str, Any], descriptors: list[int]) -> None:
    """The process that the command would have been executed in."""
    for wanted, descriptor in enumerate(descriptors):
        os.dup2(descriptor, wanted)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = request["words"]


for room in (flowcage.host.cli, flowcage.host.run, flowcage.conformance):
    load(room)
gc.collect()
gc.freeze()
serve(socket.socket(fileno=os.dup(0)))
main()
