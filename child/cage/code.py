"""Seals the code of ctypes callbacks: no memory stays both writable and executable, at one address or at two.

libffi, which ctypes creates callbacks with, needs such memory: a page of code that it writes to at each new
callback, or two mappings of one file where the kernel forbids such pages. So every callback of the child is
created on import, and the mappings that hold callbacks become read-only here. To create or to free a callback
afterwards is a write to such a mapping, and ends the process with SIGSEGV.
"""

import ctypes
import re

from flowcage._hints import NamedTuple
from flowcage.child.cage import libc
from flowcage.protocol.messages import Layer

_PROT_READ, _PROT_EXEC = 0x1, 0x4
_LINE = re.compile(r"^(\w+)-(\w+) (\S{4}) \w+ (\S+ \d+)", re.MULTILINE)

# libffi places all closures in the same mappings: the address of one finds those of all.
_SAMPLE_CALLBACK = ctypes.CFUNCTYPE(None)(lambda: None)


def seal() -> Layer:
    """Make the mappings of callbacks read-only, and verify that no mapping can be written to and executed.

    A fork(2) inherits the result. Where the kernel has PR_SET_MDWE (`process.refuse_new_code`), no later mmap
    or mprotect can undo it; the system call filter refuses PROT_EXEC on every kernel.
    """
    address = ctypes.cast(_SAMPLE_CALLBACK, ctypes.c_void_p).value
    assert address is not None
    try:
        for start, end, protection in changes(_maps(), address):
            libc.mprotect(start, end - start, protection)
        found = changeable(_maps())
    except OSError as error:
        return Layer(False, f"/proc/self/maps cannot be read, or a mapping not changed: {error.strerror}")
    if found:
        return Layer(False, f"{len(found)} mappings are writable and executable, such as {found[0]}")
    return Layer(True, "no memory is both writable and executable")


class _Mapping(NamedTuple):
    """One line of /proc/PID/maps (proc(5)); `file` is the device and the inode of what is mapped."""

    start: int
    end: int
    rights: str
    file: str

    def holds(self, address: int) -> bool:
        return self.start <= address < self.end


def changes(maps: bytes, address: int) -> list[tuple[int, int, int]]:
    """The mprotect calls that seal what holds the code at `address`: (start, end, protection) each.

    Args:
        maps: the content of /proc/PID/maps.
        address: of one callback's code.
    """
    mappings = _parse(maps)
    files = {mapping.file for mapping in mappings if mapping.holds(address)}
    return [
        (each.start, each.end, _PROT_READ | (_PROT_EXEC if "x" in each.rights else 0))
        for each in mappings
        if "w" in each.rights and (each.holds(address) or ("s" in each.rights and each.file in files))
    ]


def changeable(maps: bytes) -> list[str]:
    """Mappings that executable code can be written through: its own, or another one of the same file."""
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
