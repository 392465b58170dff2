"""Starts one program, and ends all of it when the program ends, the host says so, or the host dies.

This is a process by itself, since it has to be there when the host no longer is. One is started for each call
of an agent, so it imports little: `os` and `signal` take longer than its work.

On Linux it is a subreaper (PR_SET_CHILD_SUBREAPER): a process whose parent has ended becomes the supervisor's
child, whichever session or group it is in. So all that the program started has ended once no child is left.
Elsewhere the supervisor ends the program's process group.

It learns of the host's death by the end of the socket and by a pidfd: another process that the host forked
can hold the host's end of the socket, and a parent-death signal would follow the thread that started this
process. The program does have one, in case the supervisor is killed.

Lines to the host: ``p PID`` for the program's process, ``e ERRNO`` where it could not be executed, and
``s STATUS`` for its end, negative for a signal. The host sends nothing; it shuts the socket down.
"""

import _ctypes
import errno
import posix
import select
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # without the enumerations, which take half as long as starting Python

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_NOTES = 3
_DEFAULT_PATH = b"/bin:/usr/bin"
# Waited for the end of processes that were killed, before they are looked for again; doubled each time.
_FIRST_LOOK_MS, _LAST_LOOK_MS = 2, 1_000


def main(words: list[str]) -> None:
    """Run one program, and end without the interpreter's own end, which takes a tenth of all."""
    _run(words)
    posix._exit(0)


def _run(words: list[str]) -> None:
    """Run one program.

    Args:
        words: the host's pid; the socket; what becomes the program's descriptor 3, or -1; LC_CTYPE of the
            program after "=", or "" where it has none, because Python may change it here (PEP 538); the
            program and its arguments.
    """
    host, socket, notes = map(int, words[:3])
    woken = _watch_children()
    watched = select.poll()
    for descriptor in (socket, woken, _pidfd(host)):
        if descriptor >= 0:
            watched.register(descriptor, select.POLLIN)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    if posix.getppid() != host:
        return
    control = posix.dup(socket) if socket == _NOTES else socket
    for descriptor in {socket, control, notes} - {-1, notes if notes == _NOTES else -1}:
        posix.set_inheritable(descriptor, False)
    try:
        program = _start(control, notes, _environment(words[3]), words[4:])
    except OSError as error:
        _tell(control, b"e %d\n" % (error.errno or 0))
        return
    _let_go(notes)
    status = _status_of(program, watched, woken)
    if status is not None:
        _tell(control, b"s %d\n" % status)
    _end_all(program, woken, status is None)


def _watch_children() -> int:
    """A descriptor that is readable once a child has ended."""
    woken, wake = posix.pipe()
    posix.set_blocking(woken, False)
    posix.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    return woken


def _pidfd(pid: int) -> int:
    try:
        return posix.pidfd_open(pid)
    except (AttributeError, OSError):  # no Linux; before 5.3; or ended, which the parent's pid shows
        return -1


def _prctl(option: int, value: int) -> None:
    """Set an attribute of this process (prctl(2)); nothing elsewhere than on Linux.

    Without `ctypes`, which takes longer to import than all the rest.
    """
    try:
        address = _ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl")  # type: ignore[arg-type]  # None: all of libc
    except OSError:
        return
    _ctypes.call_function(address, (option, value, 0, 0, 0))


def _environment(locale: str) -> dict[bytes, bytes]:
    environment = dict(posix.environ)
    environment.pop(b"LC_CTYPE", None)
    if locale:
        environment[b"LC_CTYPE"] = locale[1:].encode(sys.getfilesystemencoding(), "surrogateescape")
    return environment


def _start(control: int, notes: int, environment: dict[bytes, bytes], argv: list[str]) -> int:
    supervisor = posix.getpid()
    program = posix.fork()
    if program:
        return program
    try:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if posix.getppid() == supervisor:
            posix.setsid()
            _tell(control, b"p %d\n" % posix.getpid())  # what it executes may end the supervisor
            if notes >= 0:
                posix.dup2(notes, _NOTES)
            for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(ignored_by_python, signal.SIG_DFL)
            _execute(argv, environment)
    except OSError as error:
        _tell(control, b"e %d\n" % (error.errno or 0))
    finally:
        posix._exit(127)


def _execute(argv: list[str], environment: dict[bytes, bytes]) -> None:
    """Execute a program in the place of this one, looked for as execvp(3) does. Raises OSError."""
    program = argv[0].encode(sys.getfilesystemencoding(), "surrogateescape")
    folders = [b""] if b"/" in program else environment.get(b"PATH", _DEFAULT_PATH).split(b":")
    failure = OSError(errno.ENOENT, "")
    for folder in folders:
        try:
            posix.execve(folder + b"/" + program if folder else program, argv, environment)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                failure = error
    raise failure


def _tell(control: int, line: bytes) -> None:
    try:
        posix.write(control, line)
    except OSError:
        return  # the host has ended, or does not listen any more


def _let_go(notes: int) -> None:
    """Keep nothing of the program's: its pipes end with it, and a file system can be unmounted."""
    nothing = posix.open("/dev/null", posix.O_RDWR)
    for descriptor in (0, 1, 2):
        posix.dup2(nothing, descriptor, False)
    if notes >= 0:
        posix.close(notes)
    posix.chdir("/")


def _status_of(program: int, watched: select.poll, woken: int) -> int | None:
    """How the program has ended; None where it is to be ended."""
    while True:
        for descriptor, _ in watched.poll():
            if descriptor != woken:
                return None
            _, status = _reaped(woken, program)
            if status is not None:
                return status


def _reaped(woken: int, program: int = 0) -> tuple[bool, int | None]:
    """Reap what has ended. Whether children are left, and how the program ended where it was among them."""
    _drain(woken)
    status = None
    try:
        while True:
            pid, found = posix.waitpid(-1, posix.WNOHANG)
            if pid == 0:
                return True, status
            if pid == program:
                status = posix.waitstatus_to_exitcode(found)
    except ChildProcessError:
        return False, status


def _drain(woken: int) -> None:
    try:
        posix.read(woken, 65_536)
    except BlockingIOError:
        return


def _end_all(program: int, woken: int, is_running: bool) -> None:
    """Kill until no child is left, or only such as this user may not kill.

    The group first, since it takes no search; and alone, where children cannot be listed.
    """
    can_list = posix.access(f"/proc/{posix.getpid()}/task", posix.R_OK)
    if is_running or not can_list:
        _kill(-program)
    if is_running:
        _kill(program)  # it may have no group yet
    if not can_list:
        if is_running:
            posix.waitpid(program, 0)
        return
    ended = select.poll()
    ended.register(woken, select.POLLIN)
    wait_ms = _FIRST_LOOK_MS
    while _reaped(woken)[0]:
        found = _descendants()
        if found and len(found) == sum(not _kill(pid) for pid in found):
            return
        ended.poll(wait_ms)
        wait_ms = min(wait_ms * 2, _LAST_LOOK_MS)


def _descendants() -> list[int]:
    """All processes below this one, as far as they stand still.

    They are listed before the first is killed, because that one's children would come up here and be found
    only the next time; a process that forks on and on has to be killed faster than it forks.
    """
    found = [posix.getpid()]
    for pid in found:
        found += _children(pid)
    return found[1:]


def _children(pid: int) -> list[int]:
    children: list[int] = []
    try:
        for task in posix.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", "rb") as listed:
                children += map(int, listed.read().split())
    except OSError:  # it has ended, or there is no such file here
        pass
    return children


def _kill(pid: int) -> bool:
    """Kill a process, or a group by its negative number; false where this user may not."""
    try:
        posix.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return True
