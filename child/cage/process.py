"""What the child inherited from whoever started it, undone: signals, session, descriptors, environment."""

from __future__ import annotations

import os
import re
import signal
import sys
from contextlib import suppress
from functools import cache

from flowcage.child.cage import libc
from flowcage.child.environment import KEPT_VARIABLES
from flowcage.child.stdio import STATUS
from flowcage.protocol.messages import Layer

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_MDWE = 1, 4, 65
_MDWE_REFUSE_EXEC_GAIN = 1
_NICENESS = 5  # a third of an ordinary process's weight
_STATUS_LINE = re.compile(rb"^(VmSize|Threads|SigIgn|SigCgt|CapPrm):\s*(\w+)", re.MULTILINE)
# A write that cannot be stays an error that can be told.
_STAY_IGNORED = {signal.SIGPIPE, signal.SIGXFSZ}


def environment() -> Layer:
    """Whether the environment is empty, as `clear_environment` leaves it."""
    strange = sorted(set(os.environ) - KEPT_VARIABLES)
    if strange:
        return Layer(False, f"{len(strange)} variables, {strange[0]} among them")
    return Layer(True, f"only {', '.join(sorted(os.environ)) or 'nothing'}")


@cache  # the first attempt at a cage closes /proc behind it
def status() -> dict[bytes, bytes]:
    """What the kernel says of this process (proc(5), /proc/PID/status); nothing where it cannot be asked.

    Not to be called before this process is the one to be caged: it is asked only once.
    """
    return _own_status()


def _own_status() -> dict[bytes, bytes]:
    try:
        with open("/proc/self/status", "rb", buffering=0) as file:
            return dict(_STATUS_LINE.findall(file.read()))
    except OSError:
        return {}


def enter_own_process_group() -> None:
    """A process group of its own, so that no signal for another one's reaches it."""
    if os.getpgid(0) != os.getpid():
        os.setpgid(0, 0)


def reset_inherited_state() -> None:
    """A session, a mask and a folder of its own, humble turns, and every signal as the kernel has it."""
    if os.getpgid(0) != os.getpid():
        os.setsid()
    _lower_priority()
    os.umask(0o077)
    os.chdir("/")
    for number in _signals_not_default(_own_status()) - _STAY_IGNORED:
        signal.signal(number, signal.SIG_DFL)
    # Whoever started us may have blocked SIGXCPU, which tells the cause of a death.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _lower_priority() -> None:
    """A host that shares its cores with runs that spin goes before them: it has other runs to look after.

    Where the kernel groups processes by session (sched(7), autogroup), all children of a zygote are one
    group: one tenant's runs together weigh as much as another's.
    """
    # A real-time child could keep the host from ever looking at its clock.
    if sys.platform == "linux" and os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    if (niceness := os.nice(0)) < 0:
        os.nice(-niceness)
    os.nice(_NICENESS)
    with suppress(OSError), open("/proc/self/autogroup", "wb", buffering=0) as file:
        file.write(b"%d" % _NICENESS)


def _signals_not_default(status: dict[bytes, bytes]) -> set[int]:
    """Signals that are ignored or handled."""
    if not status:
        return set(map(int, signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}))
    changed = int(status[b"SigIgn"], 16) | int(status[b"SigCgt"], 16)
    # The C library keeps two signals for itself, which Python cannot set.
    return {number for number in range(1, 65) if changed >> (number - 1) & 1} - {32, 33}


def die_with(parent: int | None) -> Layer:
    """Be killed when the thread that started us ends (prctl(2), PR_SET_PDEATHSIG).

    Args:
        parent: process id of the host; None where it did not ask, perhaps because its threads come and go.
    """
    if parent is None:
        return Layer(False, "not asked for (--die-with PID): the child leaves at the end of stdin")
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before we could ask
        os.write(2, f"flowcage-child: --die-with {parent}: this is not the parent, or no more\n".encode())
        os._exit(0)
    return Layer(True, f"SIGKILL when process {parent} ends")


def hide_memory() -> Layer:
    """No core dump, no ptrace, no reading of /proc/PID/mem by others of the same user."""
    libc.prctl(_PR_SET_DUMPABLE, 0)
    return Layer(True, "not dumpable, not traceable")


def refuse_new_code() -> Layer:
    """No memory that was ever writable becomes executable (prctl(2), PR_SET_MDWE; Linux 6.3)."""
    try:
        libc.prctl(_PR_SET_MDWE, _MDWE_REFUSE_EXEC_GAIN)
    except OSError as error:
        return Layer(False, f"not in this kernel: {error.strerror}")
    return Layer(True, "no new executable memory")


def prefer_for_oom_kill() -> None:
    """When the machine runs out of memory, a run is the first to go (proc(5), oom_score_adj)."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
        file.write(b"1000")


def _listed_descriptors() -> set[int]:
    return {int(name) for name in os.listdir("/proc/self/fd")}


def close_other_descriptors() -> Layer:
    """Keep the wire, stderr and this process's own status; see that nothing else is open."""
    os.closerange(STATUS + 1, os.sysconf("SC_OPEN_MAX"))
    try:
        listed = _listed_descriptors()
        if max(listed) > STATUS + 1:  # older than a soft limit that is below it
            for number in listed - set(range(STATUS + 1)):
                with suppress(OSError):  # the listing's own is closed
                    os.close(number)
            listed = _listed_descriptors()
    except OSError as error:
        return Layer(False, f"cannot be seen: /proc/self/fd: {error.strerror}")
    others = sorted(number for number in listed if number > STATUS + 1)  # one is the listing's own
    return Layer(not others, f"0 to {STATUS}" + (f", and {others}" if others else ""))
