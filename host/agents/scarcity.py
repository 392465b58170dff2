"""What can be done where the machine has too little left for one more agent."""

from __future__ import annotations

import errno

_FEWER = "or let fewer agents work at once (--max-agents)"
_ADVICE = {
    errno.EMFILE: f"; raise the limit of open files (ulimit -n), {_FEWER}",
    errno.ENFILE: f"; raise the machine's limit of open files, {_FEWER}",
    errno.EAGAIN: f"; raise the limit of processes (ulimit -u), {_FEWER}",
    errno.ENOMEM: f"; give the machine more memory, {_FEWER}",
}
_OF_A_CONNECTION = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def advice_for_program(code: int) -> str:
    """What to do after an error of the system by which no program was started; "" for nothing."""
    return _ADVICE.get(code, "")


def advice_for_connection(error: BaseException) -> str:
    """The same for one by which no connection was made."""
    code = error.errno if isinstance(error, OSError) else None
    return _ADVICE[code] if code in _OF_A_CONNECTION else ""
