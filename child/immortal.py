"""Objects whose reference count is not written to any more, so that forks go on sharing their pages.

CPython keeps the count inside the object: to use an object is to write to its page, and the first write to a
page that is shared with the zygote copies it. Since 3.12 a count can have a value that stands for "immortal"
(PEP 683), which the interpreter leaves alone. There is no function to set it, so it is written by address.
What is immortal is never freed; of what a zygote has loaded, nothing is.

Where the count is, and what its value must be, depends on version and build. So it is tried on one object,
and nothing is done where the count of that object is not as expected before, or does not stay afterwards.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from ctypes import c_uint32
from types import CodeType

from flowcage._hints import Any

# The low half of the count, of versions that this was tested with (Include/object.h).
_IMMORTAL = 0xFFFFFFFF
_VERSIONS = ((3, 12), (3, 13))
# As many take one to two milliseconds, for which a fork may have to wait.
_OBJECTS_AT_ONCE = 1_000


def is_possible() -> bool:
    """Whether objects can be made immortal in this interpreter."""
    if sys.implementation.name != "cpython" or sys.version_info[:2] not in _VERSIONS:
        return False
    if sys.abiflags or sys.maxsize < 2**32:  # for debugging, without the GIL, 32 bits: other objects
        return False
    return _count_of(None).value == _IMMORTAL and _is_left_alone([])


def _is_left_alone(item: Any) -> bool:
    """Whether an object's count is where it is looked for, and stays as it is once it is set."""
    count = _count_of(item)
    before = count.value
    others = [item] * 5
    if count.value != before + len(others):
        return False
    count.value = _IMMORTAL
    others += [item] * 5
    more = count.value
    others.clear()
    return more == count.value == _IMMORTAL


def immortalise() -> Iterator[None]:
    """Make all objects immortal that can be reached now, and freeze them (`gc.freeze`).

    Yields:
        After each part, between which the objects may be used and the process forked.
    """
    gc.unfreeze()  # `get_objects` leaves out what is frozen
    waiting = gc.get_objects()
    gc.freeze()
    own, done = id(waiting), 0
    while waiting:
        item = waiting.pop()
        count = _count_of(item)
        if count.value == _IMMORTAL or id(item) == own:
            continue
        count.value = _IMMORTAL
        waiting += gc.get_referents(item)
        if type(item) is CodeType:
            waiting += _parts(item)
        done += 1
        if done % _OBJECTS_AT_ONCE == 0:
            yield
    gc.freeze()


def _parts(code: CodeType) -> list[Any]:
    """What a code object refers to, which it does not tell the garbage collector."""
    tables = [code.co_consts, code.co_names, code.co_linetable, code.co_exceptiontable]
    names = [code.co_filename, code.co_name, code.co_qualname]
    return [*tables, *names, *code.co_varnames, *code.co_cellvars, *code.co_freevars]


def _count_of(item: Any) -> c_uint32:
    """The memory that holds the count of an object, which the caller keeps alive."""
    return c_uint32.from_address(id(item))
