"""Resets what the child inherited from its parent: signals, session, priority, descriptors, environment."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from functools import cache

from flowcage.child.cage import libc
from flowcage.child.environment import KEPT_VARIABLES
from flowcage.child.stdio import STATUS
from flowcage.protocol.messages import Layer

TYPE_CHECKING = False  # what type checkers take for True, without importing typing
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # without the enumerations, which take most of a millisecond to make

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, _PR_SET_MDWE = 1, 4, 65
_MDWE_REFUSE_EXEC_GAIN = 1
_NICENESS = 5  # a third of the weight of niceness 0 (sched(7))
_STATUS_LINE = re.compile(rb"^(VmSize|Threads|SigIgn|SigCgt|CapPrm):\s*(\w+)", re.MULTILINE)
# Ignored, a write that fails is EPIPE or EFBIG, which the child reports; the default would kill it.
_STAY_IGNORED = {signal.SIGPIPE, signal.SIGXFSZ}


def environment() -> Layer:
    """Whether only `KEPT_VARIABLES` are set, as `clear_environment` leaves them."""
    strange = sorted(set(os.environ) - KEPT_VARIABLES)
    if strange:
        return Layer(False, f"{len(strange)} variables are set that should not be, such as {strange[0]}")
    return Layer(True, f"only {', '.join(sorted(os.environ)) or 'nothing'}")


@cache  # after a first attempt to close the cage, /proc cannot be opened again
def status() -> dict[bytes, bytes]:
    """Fields of /proc/self/status (proc(5)), read once; empty where the file cannot be read.

    Call it only in the process that is to be caged: a zygote's figures would be inherited by its children.
    """
    return _own_status()


def _own_status() -> dict[bytes, bytes]:
    try:
        with open("/proc/self/status", "rb", buffering=0) as file:
            return dict(_STATUS_LINE.findall(file.read()))
    except OSError:
        return {}


def enter_own_process_group() -> None:
    """Become the leader of a new process group: signals to the group of the parent do not reach the child."""
    if os.getpgid(0) != os.getpid():
        os.setpgid(0, 0)


def reset_inherited_state() -> None:
    """Start a new session, lower the priority, set umask and folder, and restore the signals' defaults."""
    if os.getpgid(0) != os.getpid():
        os.setsid()
    _lower_priority()
    os.umask(0o077)
    os.chdir("/")
    for number in _signals_not_default(_own_status()) - _STAY_IGNORED:
        signal.signal(number, signal.SIG_DFL)
    # A blocked SIGXCPU would leave SIGKILL at the hard limit, which does not tell the cause.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _lower_priority() -> None:
    """Give the host precedence over the child: it must serve its other runs while this one computes.

    Where the kernel groups processes by session (sched(7), autogroup), niceness counts inside the group only;
    the group's own is set, too. The children of one zygote are one group, so a tenant's runs weigh together
    as much as another tenant's.
    """
    # A real-time child could keep the host from running at all, its deadlines included.
    if sys.platform == "linux" and os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    if (niceness := os.nice(0)) < 0:
        os.nice(-niceness)
    os.nice(_NICENESS)
    with suppress(OSError), open("/proc/self/autogroup", "wb", buffering=0) as file:
        file.write(b"%d" % _NICENESS)


def _signals_not_default(status: dict[bytes, bytes]) -> set[int]:
    """Numbers of the signals that are ignored or handled; all that can be set, where `status` is empty."""
    if not status:
        return set(map(int, signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}))
    changed = int(status[b"SigIgn"], 16) | int(status[b"SigCgt"], 16)
    # glibc reserves 32 and 33 for threads; signal(2) refuses them.
    return {number for number in range(1, 65) if changed >> (number - 1) & 1} - {32, 33}


def die_with(parent: int | None) -> Layer:
    """Have the kernel kill this process when the thread that started it ends (prctl(2), PR_SET_PDEATHSIG).

    A change of credentials clears the setting: call it after `privileges.drop_root`.

    Args:
        parent: process id of the host. None: it was not asked for, as by a host that starts children from
            threads that end before the run does.
    """
    if parent is None:
        return Layer(False, "not asked for (--die-with PID); the child exits at the end of stdin")
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent ended before the call above, so no signal will come
        os.write(
            2, f"flowcage-child: --die-with {parent}: not the parent process, or it has ended\n".encode()
        )
        os._exit(0)
    return dies_with(parent)


def dies_with(parent: int) -> Layer:
    """The layer of a process for which `die_with` was successful."""
    return Layer(True, f"SIGKILL when process {parent} ends")


def hide_memory() -> Layer:
    """Clear the dumpable flag (prctl(2)): no core dump, and no ptrace or /proc/PID/mem for the same user."""
    libc.prctl(PR_SET_DUMPABLE, 0)
    return Layer(True, "not dumpable, not traceable")


def refuse_new_code() -> Layer:
    """Forbid mappings that are writable and executable, or become executable (PR_SET_MDWE, Linux 6.3)."""
    try:
        libc.prctl(_PR_SET_MDWE, _MDWE_REFUSE_EXEC_GAIN)
    except OSError as error:
        return Layer(False, f"not in this kernel: {error.strerror}")
    return Layer(True, "no new executable memory")


def prefer_for_oom_kill() -> None:
    """Set oom_score_adj (proc(5)) to its maximum: the kernel's OOM killer prefers runs to other processes."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
        file.write(b"1000")


def _listed_descriptors() -> set[int]:
    return {int(name) for name in os.listdir("/proc/self/fd")}


def close_other_descriptors() -> Layer:
    """Close all descriptors above `STATUS`, and verify with /proc/self/fd that none is left."""
    os.closerange(STATUS + 1, os.sysconf("SC_OPEN_MAX"))
    try:
        listed = _listed_descriptors()
        if max(listed) > STATUS + 1:  # opened before the soft limit was lowered below its number
            for number in listed - set(range(STATUS + 1)):
                with suppress(OSError):  # the descriptor of the listing itself is closed already
                    os.close(number)
            listed = _listed_descriptors()
    except OSError as error:
        return Layer(False, f"/proc/self/fd cannot be read: {error.strerror}")
    others = sorted(number for number in listed if number > STATUS + 1)  # STATUS + 1 is that of the listing
    return Layer(not others, f"0 to {STATUS}" + (f", and {others}" if others else ""))
