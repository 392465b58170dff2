"""``python -m flowcage.child.zygote``: a zygote, which forks children that have everything loaded.

To start an interpreter and load the engine takes fifty milliseconds; to fork a process that has done so takes
less than one. In return all children of a zygote share one address-space layout and one hash seed. So a host
keeps one zygote for each tenant and replaces it after a crash (D28), and the zygote never holds a tenant's
data: only descriptors pass through it.

Who calls it: `host/process/launch/zygote_process.py`, which starts this module with a SOCK_SEQPACKET socket
as stdin. The zygote sends ``ready`` once. Then each request is one byte with three descriptors (SCM_RIGHTS):
the wire's incoming half, its outgoing half, and stderr. The answer is the child's process id, or ``-`` and a
reason. The end of the socket ends the zygote, and changes nothing for its children.

The order of `_run`, and what breaks if two steps swap:

1. `_claim` moves the socket above the three numbers that a request's descriptors get, which the kernel
   assigns lowest first. They arrive as `INCOMING`, `OUTGOING` and `STATUS`, where the child has the wire;
   `_serve` refuses others. So nothing else may be open below the socket: `_warm_up` closes its own `STATUS`
   again.
2. `lockdown.prepare` applies the layers that a fork inherits (D29), once for all children.
3. `die_with` comes after `prepare`, because a change of credentials clears it. A fork clears it, too: each
   child asks again in `lockdown.enter`.
4. `_warm_up` runs one workflow, so that every module is imported and every lazy cache filled, and builds the
   realm that each child begins with. A child in its cage could not load a file
   (`tests/process/test_zygote.py::test_a_child_finds_everything_loaded`). `gc.freeze` comes last.
5. ``ready`` comes when a fork would succeed: the host waits for it with its own deadline.
6. After `_FIRST_FORKS`, objects are made immortal (`immortal`), a part at a time while nobody asks for a
   fork, because it takes as long as the rest of the start. ``--mortal`` leaves it out.

Invariants:

- A child is a child of the host, not of the zygote (CLONE_PARENT, D27): the host reaps it by wait4(2), and a
  zygote that is killed takes no run with it (`test_a_run_goes_on_when_its_zygote_is_killed`).
- Until its cage closes, a child is in the zygote's process group. The host finds a child that was forked but
  never reported by that group (`test_a_child_that_was_forked_but_never_told_of_is_found_and_ended`).
- The process has one thread: a fork copies the calling thread only, and seccomp and unshare(2) want one.
- Per-process figures are taken after the fork: `open_high_water` opens the child's own status, and
  `Realm.adopt` applies the limits and counts stack and CPU from there.
"""

from __future__ import annotations

import ctypes
import gc
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count

from flowcage.child import immortal
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
from flowcage.protocol.limits import DEFAULT_MAX_MESSAGE_BYTES, Limits
from flowcage.protocol.messages import Isolation, Layer
from flowcage.protocol.terms import Terms, parse_terms
from flowcage.protocol.version import PROTOCOL_VERSION

# The lowest number above the three that a request's descriptors must get.
_CONTROL = STATUS + 1
_WIRE = [INCOMING, OUTGOING, STATUS]
# The first run of a host, and its spares (host/process/launch/reserve.py), are not to wait.
_FIRST_FORKS = 3
_CLONE_PARENT = 0x00008000  # linux/sched.h
# What os.fork does around fork(2), which has no CLONE_PARENT. Bound here, because ctypes looks a function up
# at its first use, and that of the last one is in each child.
_before_fork = ctypes.pythonapi.PyOS_BeforeFork
_after_fork_in_parent = ctypes.pythonapi.PyOS_AfterFork_Parent
_after_fork_in_child = ctypes.pythonapi.PyOS_AfterFork_Child
# It uses every kind of message, request resolution and result that a small workflow does.
_WARM_UP_SOURCE = """phase("warm"); log(args);
const words = await parallel([() => agent("a", { label: "a" }), () => agent("b")]);
return words.filter((word) => /[a-z]+/.test(word)).map((word) => ({ word }));"""


def main() -> None:
    """Load everything, then fork a child for each request on the socket that stdin is, until it closes."""
    clear_environment()
    try:
        parent, terms, later = _arguments(sys.argv[1:])
    except ValueError:
        log_to_stderr(
            "usage: python -m flowcage.child.zygote --die-with PID [--mortal] [--terms JSON] < SOCKET"
        )
        os._exit(os.EX_USAGE)
    os._exit(exit_status_of(lambda: _run(parent, terms, later)))


def _run(parent: int, terms: Terms | None, later: Iterator[None]) -> None:
    control = _claim()
    lockdown.prepare()
    die_with(parent)
    realm = _warm_up()
    control.send(b"ready")
    begin = (
        partial(_new_session, parent, realm)
        if terms is None
        else partial(_new_session_under_terms, terms, parent, realm)
    )
    _serve(control, begin, later)


def _arguments(words: list[str]) -> tuple[int, Terms | None, Iterator[None]]:
    """The host's process id, the terms, and what is to be done later, step by step."""
    parent, rest = parse_die_with(words[:2]), words[2:]
    is_mortal = rest[:1] == ["--mortal"]
    options = rest[is_mortal:]
    if parent is None or options[:1] not in ([], ["--terms"]) or len(options) not in (0, 2):
        raise ValueError(words)
    later = iter(()) if is_mortal or not immortal.is_possible() else immortal.immortalise()
    return parent, parse_terms(options[1]) if options else None, later


def _claim() -> socket.socket:
    """Move the socket to `_CONTROL`, keep stderr, and close all else."""
    os.dup2(0, _CONTROL, inheritable=False)
    replace_stdio()
    os.closerange(INCOMING, _CONTROL)
    os.closerange(_CONTROL + 1, os.sysconf("SC_OPEN_MAX"))
    return socket.socket(fileno=_CONTROL)


def _warm_up() -> Realm:
    """Run a workflow with isolation ``none``, and build the realm that every child begins with.

    Raises:
        RuntimeError: the workflow failed, so children would, too.
    """
    high_water = open_high_water()
    session = Session(lockdown.apply_nothing, high_water)
    for number, (method, params) in enumerate(_messages()):
        for reply in session.receive(envelope.request(number, method, params)):
            if b'"error"' in reply.data:
                raise RuntimeError(f"the warm-up run failed: {reply.data[:500]!r}")
    realm = Realm(Limits(), high_water)
    os.close(STATUS)  # the next request's third descriptor must get this number
    gc.collect()
    gc.enable()
    gc.freeze()  # a collection in a child would write to, and so copy, the pages that all share
    return realm


def _new_session(parent: int, realm: Realm) -> Session:
    """Build the session of a child, in the child: it has its own high water."""
    return Session(partial(lockdown.enter, parent=parent), open_high_water(), realm)


def _new_session_under_terms(terms: Terms, parent: int, realm: Realm) -> Session:
    """As `_new_session`, for the peer of a server: it gets no more than the server's terms allow."""
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


def _serve(control: socket.socket, begin: Callable[[], Session], later: Iterator[None]) -> None:
    for number in count():
        if number >= _FIRST_FORKS:
            _use_idle_time(control, later)
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


def _use_idle_time(control: socket.socket, work: Iterator[None]) -> None:
    """Go on with the work until a request comes, or the host has closed the socket."""
    for _step in work:
        if select.select([control], [], [], 0)[0]:
            return


def _fork_for_the_host() -> int:
    """Fork a sibling of this process (clone(2), CLONE_PARENT): the host is its parent and reaps it.

    Returns:
        0 in the new process; its id in this one.

    Raises:
        OSError: the kernel refused.
    """
    architecture = current()
    assert architecture is not None
    _before_fork()
    pid = -1
    try:
        pid = libc.syscall(architecture.numbers["clone"], _CLONE_PARENT | signal.SIGCHLD)
    finally:
        if pid == 0:
            _after_fork_in_child()
        else:
            _after_fork_in_parent()
    return pid


def _move_descriptors() -> None:
    """Make the third descriptor stderr, and close the socket: now it is as `stdio.claim` leaves it."""
    os.dup2(STATUS, 1)
    os.dup2(STATUS, 2)
    os.close(STATUS)
    os.close(_CONTROL)


if __name__ == "__main__":
    main()
