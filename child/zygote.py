"""``python -m flowcage.child.zygote``: forks children that have everything loaded, for one host.

Starting an interpreter and loading the engine takes fifty milliseconds; forking a process that has done so
takes less than one. The price is that all its children share one address-space layout and one hash seed, so
a host keeps one zygote for each tenant, gives it no tenant's data, and replaces it after a crash.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial

from flowcage.child.cage import libc, lockdown
from flowcage.child.cage.architecture import current
from flowcage.child.cage.highwater import open_high_water
from flowcage.child.cage.process import die_with
from flowcage.child.cage.rlimits import lower_to_ceilings
from flowcage.child.environment import clear_environment
from flowcage.child.life import exit_status_of, log_to_stderr, parse_die_with, run_session, write_note
from flowcage.child.sandbox.realm import Realm
from flowcage.child.session import Session
from flowcage.child.stdio import INCOMING, OUTGOING, STATUS, replace_stdio
from flowcage.protocol import envelope
from flowcage.protocol.framing import DEFAULT_MAX_MESSAGE_BYTES
from flowcage.protocol.limits import Limits
from flowcage.protocol.messages import Isolation, Layer
from flowcage.protocol.terms import Terms, parse_terms
from flowcage.protocol.version import PROTOCOL_VERSION

# Above the three that a child's wire and stderr take, which the kernel gives out lowest first.
_CONTROL = STATUS + 1
_WIRE = [INCOMING, OUTGOING, STATUS]
_CLONE_PARENT = 0x00008000  # linux/sched.h
_WARM_UP_SOURCE = """phase("warm"); log(args);
const words = await parallel([() => agent("a", { label: "a" }), () => agent("b")]);
return words.filter((word) => /[a-z]+/.test(word)).map((word) => ({ word }));"""


def main() -> None:
    """Load everything, then fork a child for each message on the socket that stdin is, until it closes."""
    clear_environment()
    try:
        parent, terms = _arguments(sys.argv[1:])
    except ValueError:
        log_to_stderr(
            "usage: python -m flowcage.child.zygote --die-with PID [--terms JSON]  (stdin is a socket)"
        )
        os._exit(os.EX_USAGE)
    os._exit(exit_status_of(lambda: _run(parent, terms)))


def _run(parent: int, terms: Terms | None) -> None:
    control = _claim()
    lockdown.prepare()
    die_with(parent)  # a change of credentials clears it
    realm = _warm_up()
    control.send(b"ready")
    begin = (
        partial(_new_session, parent, realm)
        if terms is None
        else partial(_new_session_under_terms, terms, parent, realm)
    )
    _serve(control, begin)


def _arguments(words: list[str]) -> tuple[int, Terms | None]:
    parent = parse_die_with(words[:2])
    if parent is None or words[2:3] not in ([], ["--terms"]) or len(words) not in (2, 4):
        raise ValueError(words)
    return parent, parse_terms(words[3]) if words[3:] else None


def _claim() -> socket.socket:
    """Keep the socket and stderr, close all else, and free the numbers that children will want."""
    os.dup2(0, _CONTROL, inheritable=False)
    replace_stdio()
    os.closerange(INCOMING, _CONTROL)
    os.closerange(_CONTROL + 1, os.sysconf("SC_OPEN_MAX"))
    return socket.socket(fileno=_CONTROL)


def _warm_up() -> Realm:
    """Go through a whole run once, without a cage, and build the realm that every child will begin with."""
    high_water = open_high_water()
    session = Session(lockdown.apply_nothing, high_water)
    for number, (method, params) in enumerate(_messages()):
        for reply in session.receive(envelope.request(number, method, params)):
            if b'"error"' in reply.data:
                raise RuntimeError(f"the warm-up run failed: {reply.data[:500]!r}")
    realm = Realm(Limits(), high_water)
    os.close(STATUS)
    gc.collect()
    gc.freeze()  # a collection in a child must not touch, and so copy, what all share
    return realm


def _new_session(parent: int, realm: Realm) -> Session:
    """In a child, whose own high water it is."""
    return Session(partial(lockdown.enter, parent=parent), open_high_water(), realm)


def _new_session_under_terms(terms: Terms, parent: int, realm: Realm) -> Session:
    """The same for a peer that has what these terms allow, whatever it asks for."""
    lower_to_ceilings(terms.ceilings)

    def close_cage(asked: Limits, isolation: Isolation | None) -> tuple[Limits, dict[str, Layer]]:
        closed = lockdown.enter(*terms.agree(asked, isolation), parent=parent)
        write_note(terms.note(asked, isolation).to_line())
        return closed

    longest = min(DEFAULT_MAX_MESSAGE_BYTES, terms.ceilings.max_message_bytes)
    return Session(close_cage, open_high_water(), realm, longest)


def _messages() -> list[tuple[str, dict[str, object]]]:
    answer = {"type": "ok", "value": "word", "budget": {"total": None, "spent": 1}}
    return [
        ("initialize", {"protocolVersion": PROTOCOL_VERSION, "isolation": "none"}),
        ("start", {"source": _WARM_UP_SOURCE, "args": {"n": [1.5, "x", None]}}),
        ("drain", {}),
        ("resolve", {"id": "1", "resolution": answer}),
        ("resolve", {"id": "2", "resolution": answer}),
        ("drain", {}),
    ]


def _serve(control: socket.socket, begin: Callable[[], Session]) -> None:
    while True:
        request, descriptors, _flags, _ = socket.recv_fds(control, 1, len(_WIRE))
        if not request:
            return
        try:
            pid = _fork_for_the_host() if descriptors == _WIRE else -1
        except OSError as error:
            control.send(b"-" + (error.strerror or "").encode())
        else:
            if pid == 0:
                _move_descriptors()
                os._exit(run_session(begin))
            control.send(b"%d" % pid if pid > 0 else b"-too few descriptors, or not those expected")
        for descriptor in descriptors:
            os.close(descriptor)


def _fork_for_the_host() -> int:
    """Fork a sibling (clone(2), CLONE_PARENT), so that the host reaps it, and this process's end changes
    nothing for it.

    Returns:
        0 in the new process; its id in this one.

    Raises:
        OSError: the kernel refused.
    """
    architecture = current()
    assert architecture is not None
    ctypes.pythonapi.PyOS_BeforeFork()
    pid = -1
    try:
        pid = libc.syscall(architecture.numbers["clone"], _CLONE_PARENT | signal.SIGCHLD)
    finally:
        if pid == 0:
            ctypes.pythonapi.PyOS_AfterFork_Child()
        else:
            ctypes.pythonapi.PyOS_AfterFork_Parent()
    return pid


def _move_descriptors() -> None:
    """Put the descriptors where `flowcage.child.stdio` has them.

    The cage leaves the zygote's group: until then the host can find a child there that it never heard of.
    """
    os.dup2(STATUS, 1)
    os.dup2(STATUS, 2)
    os.close(STATUS)
    os.close(_CONTROL)


if __name__ == "__main__":
    main()
