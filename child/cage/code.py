"""No memory of this process is both writable and executable, at one address or at two.

libffi, which ctypes makes callbacks with, wants such memory: a page of code that it writes to as callbacks
come, or two views of one file where the kernel forbids such pages. All of our callbacks are made on import.
What holds them becomes read-only, and a process that makes one afterwards dies of it.
"""

from __future__ import annotations

import ctypes
import re
from typing import NamedTuple

from flowcage.child.cage import libc
from flowcage.protocol.messages import Layer

_PROT_READ, _PROT_EXEC = 0x1, 0x4
_LINE = re.compile(r"^(\w+)-(\w+) (\S{4}) \w+ (\S+ \d+)", re.MULTILINE)

# It lies where they all lie.
_SAMPLE_CALLBACK = ctypes.CFUNCTYPE(None)(lambda: None)


def seal() -> Layer:
    """Make what holds our callbacks read-only, and see that no other memory can be given new code.

    A fork(2) inherits it, and where the kernel refuses new code (`process.refuse_new_code`) it stays true.
    """
    address = ctypes.cast(_SAMPLE_CALLBACK, ctypes.c_void_p).value
    assert address is not None
    try:
        for start, end, protection in changes(_maps(), address):
            libc.mprotect(start, end - start, protection)
        found = changeable(_maps())
    except OSError as error:
        return Layer(False, f"cannot be seen in /proc/self/maps, or changed: {error.strerror}")
    if found:
        return Layer(False, f"{len(found)} mappings that can be written to, {found[0]} among them")
    return Layer(True, "no memory is both writable and executable")


class _Mapping(NamedTuple):
    """A line of /proc/PID/maps (proc(5)); `file` is its device and inode."""

    start: int
    end: int
    rights: str
    file: str

    def holds(self, address: int) -> bool:
        return self.start <= address < self.end


def changes(maps: bytes, address: int) -> list[tuple[int, int, int]]:
    """What to make of the mappings that hold code at an address, as (start, end, protection)."""
    mappings = _parse(maps)
    files = {mapping.file for mapping in mappings if mapping.holds(address)}
    return [
        (each.start, each.end, _PROT_READ | (_PROT_EXEC if "x" in each.rights else 0))
        for each in mappings
        if "w" in each.rights and (each.holds(address) or ("s" in each.rights and each.file in files))
    ]


def changeable(maps: bytes) -> list[str]:
    """The mappings that code could be written through: its own, or another view of its file."""
    mappings = _parse(maps)
    files = {each.file for each in mappings if "x" in each.rights and "s" in each.rights}
    return [
        f"{each.start:x}-{each.end:x} {each.rights}"
        for each in mappings
        if "w" in each.rights and ("x" in each.rights or ("s" in each.rights and each.file in files))
    ]


def _parse(maps: bytes) -> list[_Mapping]:
    return [
        _Mapping(int(start, 16), int(end, 16), rights, file)
        for start, end, rights, file in _LINE.findall(maps.decode("ascii", "replace"))
    ]


def _maps() -> bytes:
    with open("/proc/self/maps", "rb", buffering=0) as file:
        return file.readall()
