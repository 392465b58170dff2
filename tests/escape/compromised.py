"""``python -m tests.escape.compromised``: children whose native code has turned hostile.

A fork server, so that a thousand attacks take seconds. Each line on stdin names an attack and the layers to
leave out; each line on stdout says how that ended. A child has the descriptors of the real one, enters the
real cage, and carries out its one attack.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import sys
from collections.abc import Collection
from typing import NoReturn

from flowcage.child.cage.libc import prctl
from flowcage.child.environment import clear_environment
from flowcage.child.stdio import OUTGOING, claim, write_all
from flowcage.protocol.errors import ErrorReply
from flowcage.protocol.limits import Limits

from .attack import Attack, Outcome, Scene, outcome
from .catalogue import ATTACKS
from .closing import ByItself, Closing, prepared

_PR_SET_CHILD_SUBREAPER = 36
_LIMITS = Limits(cpu_seconds=1)
# What is sent instead of an attack, to learn which layers this machine gives.
_NO_ATTACK = Attack("", "", lambda _: lambda: 0)
_DEADLINE_MS = 300_000  # only an attack that hangs gets there


def main() -> None:
    """Serve until stdin ends."""
    keep_environment, way, victim, scratch = sys.argv[1:]
    if keep_environment == "no":
        clear_environment()
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    scene = Scene(os.getpid(), int(victim), scratch)
    closing = prepared(_LIMITS) if way == "prepared" else ByItself(_LIMITS, scene.host)
    for line in sys.stdin:
        wanted = json.loads(line)
        _set_scene(scratch)
        attack = ATTACKS.get(wanted["attack"], _NO_ATTACK)
        result = attempt(attack, scene, closing, wanted["without"])
        print(json.dumps(result), flush=True)


def attempt(attack: Attack, scene: Scene, closing: Closing, without: Collection[str]) -> Outcome:
    """Carry out one attack in a process of its own, and see how it ends."""
    to_child, from_child, errors = os.pipe(), os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        _arrange_descriptors(to_child[0], from_child[1], errors[1])
        _turn_hostile(attack, scene, closing, without)
    for descriptor in (to_child[0], from_child[1], errors[1]):
        os.close(descriptor)
    try:
        said = _hear(pid, from_child[0])
        _, status = os.waitpid(pid, 0)
        _reap_what_it_started()
    finally:
        for descriptor in (to_child[1], from_child[0], errors[0]):
            os.close(descriptor)
    return outcome(attack, status, said)


def _hear(pid: int, wire: int) -> bytes:
    parts: list[bytes] = []
    poll = select.poll()
    poll.register(wire, select.POLLIN)
    while poll.poll(_DEADLINE_MS):
        part = os.read(wire, 4096)
        if not part:
            return b"".join(parts)
        parts.append(part)
    os.kill(pid, signal.SIGKILL)
    return b""


def _reap_what_it_started() -> None:
    """As their subreaper we inherit what the attacker forked, which ends at once."""
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        pass


def _set_scene(scratch: str) -> None:
    """Bait that anybody could take, were it not for the cage, and a file for the host's eyes only."""
    for entry in os.scandir(scratch):
        shutil.rmtree(entry) if entry.is_dir(follow_symlinks=False) else os.unlink(entry)
    for name, mode in (("bait", 0o666), ("private", 0o600)):
        with open(os.path.join(scratch, name), "w") as file:
            file.write("secret")
            os.fchmod(file.fileno(), mode)
    folder = os.path.join(scratch, "folder")
    os.mkdir(folder)
    os.chmod(folder, 0o777)


def _arrange_descriptors(incoming: int, outgoing: int, errors: int) -> None:
    """As `flowcage.child.__main__` and the session have them before the lockdown."""
    for wanted, descriptor in enumerate((incoming, outgoing, errors)):
        os.dup2(descriptor, wanted)
    claim()


def _turn_hostile(attack: Attack, scene: Scene, closing: Closing, without: Collection[str]) -> NoReturn:
    try:
        closing.begin()
        deed = attack.prepare(scene)
        layers = closing.close(without)
        if attack is _NO_ATTACK:
            applied = [name for name, layer in layers.items() if layer.applied]
            write_all(OUTGOING, " ".join(applied).encode())
            os._exit(0)
        result = deed()
    except ErrorReply as refusal:
        write_all(OUTGOING, refusal.message.encode())
        os._exit(1)
    except BaseException as error:
        write_all(OUTGOING, repr(error).encode())
        os._exit(2)
    write_all(OUTGOING, b"%d" % result)
    os._exit(0)


if __name__ == "__main__":
    main()
