"""``python -m flowcage.child.zygote``: a zygote, which forks children that have everything loaded.

To start an interpreter and load the engine takes fifty milliseconds; to fork a process that has done so takes
less than one. In return all children of a zygote share one address-space layout and one hash seed. So a host
keeps one zygote for each tenant and replaces it after a crash (D28), and the zygote never holds a tenant's
data: only descriptors pass through it.

Who calls it: `host/process/launch/zygote_process.py`, which starts this module with a SOCK_SEQPACKET socket
as stdin. The zygote sends ``ready`` once. Then each request is one byte with three descriptors (SCM_RIGHTS):
the wire's incoming half, its outgoing half, and stderr. Behind the byte may be the child's first message, the
line of `initialize`, which the child answers without reading it from the wire. The answer to a request is the
child's process id, or ``-`` and a reason. The end of the socket ends the zygote, and changes nothing for its
children.

The order of `_run`, and what breaks if two steps swap:

1. `_claim` moves the socket above the three numbers that a request's descriptors get, which the kernel
   assigns lowest first. They arrive as `INCOMING`, `OUTGOING` and `STATUS`, where the child has the wire;
   `_serve` refuses others. So nothing else may be open below the socket: `warm_up` closes its own `STATUS`
   again.
2. `lockdown.prepare` applies the layers that a fork inherits (D29), once for all children.
3. `die_with` comes after `prepare`, because a change of credentials clears it. A fork clears it, too: each
   child asks again in `lockdown.enter`.
4. `warm_up` loads everything, and builds the realm that each child begins with.
5. ``ready`` comes when a fork would succeed: the host waits for it with its own deadline.
6. After `_FIRST_FORKS`, what the children with a line do is prepared once (`prepared`), which takes as long
   as three forks. Then come parts of `_prepare_memory` while nobody asks for a fork, because all of them take
   longer than the rest of the start: code that children run is put side by side and adapted (`rehearse`),
   objects are made immortal (`immortal`), those of the preparation, too, and at last holes are filled
   (`gathering`), which what comes before has left. ``--no-plan`` leaves out the preparation, ``--mortal`` the
   immortal objects, ``--scattered`` what is done about code and holes.

Invariants:

- A child is a child of the host, not of the zygote (CLONE_PARENT, D27): the host reaps it by wait4(2), and a
  zygote that is killed takes no run with it (`test_a_run_goes_on_when_its_zygote_is_killed`).
- A child stays in the zygote's session. The host finds a child that was forked but never reported by that
  session (`test_a_child_that_was_forked_but_never_told_of_is_found_and_ended`).
- The process has one thread: a fork copies the calling thread only, and seccomp and unshare(2) want one.
- Per-process figures are taken after the fork: `open_high_water` opens the child's own status, and
  `Realm.adopt` applies the limits and counts stack and CPU from there.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import struct
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from flowcage._hints import NamedTuple, NoReturn
from flowcage.child import immortal
from flowcage.child.cage import libc, lockdown
from flowcage.child.cage.architecture import current
from flowcage.child.cage.highwater import HighWater, open_high_water
from flowcage.child.cage.process import die_with
from flowcage.child.cage.rlimits import lower_to_ceilings
from flowcage.child.environment import clear_environment
from flowcage.child.gathering import fill_holes
from flowcage.child.life import (
    exit_status_of,
    log_to_stderr,
    parse_die_with,
    parse_short_cut,
    run_session,
    write_note,
)
from flowcage.child.prepared import Lines
from flowcage.child.sandbox.realm import Realm
from flowcage.child.session import Reply, Session
from flowcage.child.stdio import CONTROL, INCOMING, OUTGOING, STATUS, move_descriptors, replace_stdio
from flowcage.child.warm_up import rehearse, warm_up
from flowcage.protocol.limits import DEFAULT_MAX_MESSAGE_BYTES, Limits
from flowcage.protocol.messages import Isolation, Layer
from flowcage.protocol.terms import Terms, parse_terms

_WIRE = struct.pack("3i", INCOMING, OUTGOING, STATUS)
_TRUNCATED = socket.MSG_TRUNC.value  # the flag itself would make each test a call of `enum`
_EXPECTED = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, _WIRE)]
_ANCILLARY_BYTES = socket.CMSG_LEN(len(_WIRE))
# A request with its line, which has the limits and the name of a program.
_REQUEST_BYTES = 8192
# The first run of a host, and its spares (host/process/launch/reserve.py), are not to wait.
_FIRST_FORKS = 3
_architecture = current()
_CLONE = -1 if _architecture is None else _architecture.numbers["clone"]
_CLONE_FLAGS = 0x00008000 | signal.SIGCHLD.value  # CLONE_PARENT, linux/sched.h
# What os.fork does around fork(2), which has no CLONE_PARENT. Bound here, because ctypes looks a function up
# at its first use, and that of the last one is in each child.
_before_fork = ctypes.pythonapi.PyOS_BeforeFork
_after_fork_in_parent = ctypes.pythonapi.PyOS_AfterFork_Parent
_after_fork_in_child = ctypes.pythonapi.PyOS_AfterFork_Child


class _Options(NamedTuple):
    """The command line.

    Attributes:
        parent: the host's process id.
        is_mortal: whether objects are left as they are (``--mortal``).
        is_scattered: whether code and holes are left where they are (``--scattered``).
        has_plans: whether children may be prepared (not ``--no-plan``).
        terms: those of a server's peers, who talk to the children (``--terms``).
        takes_short_cuts: whether sessions do (not ``--no-short-cut``).
    """

    parent: int
    is_mortal: bool
    is_scattered: bool
    has_plans: bool
    terms: Terms | None
    takes_short_cuts: bool


def main() -> None:
    """Load everything, then fork a child for each request on the socket that stdin is, until it closes."""
    os.environ.pop("LD_BIND_NOW", None)  # to clear it by execve(2) would undo it
    clear_environment()
    try:
        options = _options(sys.argv[1:])
    except ValueError:
        log_to_stderr(
            "usage: python -m flowcage.child.zygote --die-with PID [--mortal] [--scattered] [--no-plan] "
            "[--terms JSON] [--no-short-cut] < SOCKET"
        )
        os._exit(os.EX_USAGE)
    os._exit(exit_status_of(lambda: _run(options)))


def _options(words: list[str]) -> _Options:
    words, takes_short_cuts = parse_short_cut(words)
    parent, rest = parse_die_with(words[:2]), words[2:]
    terms = None
    if rest[-2:-1] == ["--terms"]:
        terms, rest = parse_terms(rest[-1]), rest[:-2]
    if parent is None or not {*rest} <= {"--mortal", "--scattered", "--no-plan"}:
        raise ValueError(words)
    return _Options(
        parent, "--mortal" in rest, "--scattered" in rest, "--no-plan" not in rest, terms, takes_short_cuts
    )


def _run(options: _Options) -> None:
    parent, terms = options.parent, options.terms
    Session.takes_short_cuts = options.takes_short_cuts
    control = _claim()
    lockdown.prepare()
    die_with(parent)
    realm = warm_up()
    control.send(b"ready")
    later = _prepare_memory(realm, options)
    begin = partial(_new_session, realm) if terms is None else partial(_new_session_under_terms, terms, realm)
    lines = None
    if options.has_plans and terms is None:
        lines = Lines(lambda cage: Session(cage, HighWater(STATUS), realm), partial(_live, begin), parent)
    _serve(control, partial(_live, begin, parent), lines, later)


def _prepare_memory(realm: Realm, options: _Options) -> Iterator[None]:
    """What makes children copy less of this process, a part at a time."""
    if not options.is_scattered:
        yield from rehearse()
    if not options.is_mortal and immortal.is_possible():
        yield from immortal.immortalise()
    if not options.is_scattered:
        fill_holes()
        realm.runtime.heap.fill_holes()


def _claim() -> socket.socket:
    """Move the socket to `CONTROL`, keep stderr, and close all else."""
    os.dup2(0, CONTROL, inheritable=False)
    replace_stdio()
    os.closerange(INCOMING, CONTROL)
    os.closerange(CONTROL + 1, os.sysconf("SC_OPEN_MAX"))
    return socket.socket(fileno=CONTROL)


def _new_session(realm: Realm, parent: int) -> Session:
    """Build the session of a child, in the child: it has its own high water."""
    return Session(partial(lockdown.enter, parent=parent), open_high_water(), realm)


def _new_session_under_terms(terms: Terms, realm: Realm, parent: int) -> Session:
    """As `_new_session`, for the peer of a server: it gets no more than the server's terms allow."""
    lower_to_ceilings(terms.ceilings)

    def close_cage(asked: Limits, isolation: Isolation | None) -> tuple[Limits, dict[str, Layer]]:
        closed = lockdown.enter(*terms.agree(asked, isolation), parent=parent)
        write_note(terms.note(asked, isolation).to_line())
        return closed

    longest = min(DEFAULT_MAX_MESSAGE_BYTES, terms.ceilings.max_message_bytes)
    return Session(close_cage, open_high_water(), realm, longest)


def _live(begin: Callable[[int], Session], parent: int, line: bytes) -> NoReturn:
    """The life of a child that closes its cage by itself.

    Args:
        begin: builds its session.
        parent: the process that it dies with.
        line: its first message; empty where that comes by stdin.
    """

    def first(session: Session) -> Iterable[Reply]:
        return session.receive(line) if line else ()

    move_descriptors()
    os._exit(run_session(lambda: begin(parent), first))


def _serve(
    control: socket.socket, live: Callable[[bytes], NoReturn], lines: Lines | None, later: Iterator[None]
) -> None:
    buffer = bytearray(_REQUEST_BYTES)  # made once: each child would find another one on other pages
    first_forks = _FIRST_FORKS
    while True:
        if first_forks:
            first_forks -= 1
        else:
            _use_idle_time(control, lines, later)
        size, ancillary, flags, _ = control.recvmsg_into([buffer], _ANCILLARY_BYTES)
        if not size:
            return
        line = bytes(memoryview(buffer)[1:size])
        prepared = lines.find(line) if line and lines is not None else None
        try:
            pid = _fork_for_the_host() if ancillary == _EXPECTED and not flags & _TRUNCATED else -1
        except OSError as error:
            control.send(b"-" + (error.strerror or "").encode())
        else:
            if pid == 0:
                if prepared is None:
                    live(line)
                prepared.live()
            control.send(b"%d" % pid if pid > 0 else b"-not a request, or not with three descriptors")
        _close_received(ancillary)


def _use_idle_time(control: socket.socket, lines: Lines | None, later: Iterator[None]) -> None:
    """Go on with what is to be done later, until a request comes, or the host has closed the socket."""
    if lines is not None and lines.learn() and _is_asked(control):
        return
    for _step in later:
        if _is_asked(control):
            return


def _is_asked(control: socket.socket) -> bool:
    return bool(select.select([control], [], [], 0)[0])


def _close_received(ancillary: list[tuple[int, int, bytes]]) -> None:
    if ancillary == _EXPECTED:
        os.closerange(INCOMING, CONTROL)
        return
    for _level, _kind, descriptors in ancillary:
        for descriptor in array("i", descriptors):
            os.close(descriptor)


def _fork_for_the_host() -> int:
    """Fork a sibling of this process (clone(2), CLONE_PARENT): the host is its parent and reaps it.

    Returns:
        0 in the new process; its id in this one.

    Raises:
        OSError: the kernel refused.
    """
    _before_fork()
    pid = -1
    try:
        pid = libc.syscall(_CLONE, _CLONE_FLAGS)
    finally:
        if pid == 0:
            _after_fork_in_child()
        else:
            _after_fork_in_parent()
    return pid


if __name__ == "__main__":
    main()
