"""The system call filter (seccomp(2)): the layer that most promises of the cage rest on.

A call that `policy` does not allow ends the whole process with SIGSYS. The program is classic BPF
(linux/filter.h), assembled here so that it can be reviewed in full; `tests/escape/test_filter_rules.py`
interprets it, and `tests/escape/test_filter_in_the_kernel.py` tries it.
"""

from __future__ import annotations

import ctypes
import struct

from flowcage.child.cage import libc
from flowcage.child.cage.architecture import Architecture
from flowcage.child.cage.policy import Check, Policy
from flowcage.protocol.messages import Layer

PR_SET_SECCOMP = 22
MODE_FILTER = 2

# Opcodes: load a word of the data, bitwise and, jump if equal, jump if at least, return.
_LOAD, _AND, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
# struct seccomp_data: nr, arch, instruction_pointer, args[6]; both architectures are little-endian.
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16

ALLOW = 0x7FFF0000
KILL_PROCESS = 0x80000000
ERRNO = 0x00050000
_LOW_WORD = 0xFFFFFFFF

Instruction = tuple[int, int, int, int]


def assemble(policy: Policy, architecture: Architecture) -> bytes:
    """The filter program, as an array of ``struct sock_filter``."""
    program = [
        _load(_ARCHITECTURE),
        (_EQUAL, 1, 0, architecture.audit),
        _return(KILL_PROCESS),
        # x32 numbers (bit 30) and -1, which a tracer can set, match no rule: they are killed like others.
        _load(_NUMBER),
        *_search(_blocks(policy, architecture)),
    ]
    words = [word for instruction in program for word in instruction]
    return struct.pack("=" + "HBBI" * len(program), *words)


def _blocks(policy: Policy, architecture: Architecture) -> list[tuple[int, list[Instruction]]]:
    """By the number of the system call, in ascending order, what decides it; it always returns."""
    blocks = {name: [*_checked(checks), _return(ALLOW)] for name, checks in policy.allowed.items()}
    blocks |= {name: [_return(ERRNO | number)] for name, number in policy.refused.items()}
    numbers = architecture.numbers
    return sorted((numbers[name], block) for name, block in blocks.items() if name in numbers)


def _search(blocks: list[tuple[int, list[Instruction]]]) -> list[Instruction]:
    """Find the block of the number that is loaded, by halves; kill where there is none.

    The kernel tries a new filter with every number that it has: to install this one takes a fifth less than
    one that compares one number after the other.
    """
    if len(blocks) == 1:
        number, block = blocks[0]
        return [(_EQUAL, 0, len(block), number), *block, _return(KILL_PROCESS)]
    middle = len(blocks) // 2
    lower, higher = _search(blocks[:middle]), _search(blocks[middle:])
    return [(_AT_LEAST, len(lower), 0, blocks[middle][0]), *lower, *higher]


def _checked(checks: tuple[Check, ...]) -> list[Instruction]:
    return [instruction for check in checks for instruction in _check(check)]


def _check(check: Check) -> list[Instruction]:
    """Kill unless the masked argument is one of the values; its high word must be 0."""
    at = _ARGUMENTS + 8 * check.argument
    count = len(check.values)
    matches = [(_EQUAL, count - index, 0, value) for index, value in enumerate(check.values)]
    return [
        _load(at + 4),
        (_AND, 0, 0, check.mask >> 32),
        (_EQUAL, 1, 0, 0),
        _return(KILL_PROCESS),
        _load(at),
        (_AND, 0, 0, check.mask & _LOW_WORD),
        *matches,
        _return(KILL_PROCESS),
    ]


def _load(offset: int) -> Instruction:
    return (_LOAD, 0, 0, offset)


def _return(action: int) -> Instruction:
    return (_RETURN, 0, 0, action)


class _Header(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]


class Program:
    """A filter in memory, as the kernel takes it.

    Attributes:
        address: of its ``struct sock_fprog``; both live as long as this object.

    Args:
        code: from `assemble`.
    """

    def __init__(self, code: bytes) -> None:
        self._code = ctypes.create_string_buffer(code, len(code))
        self._header = _Header(len(code) // 8, ctypes.addressof(self._code))
        self.address = ctypes.addressof(self._header)

    def operands(self, value: int) -> list[ctypes.c_uint32]:
        """The memory of the operands that have this value, by which they can be changed."""
        found = [
            at for at, (*_, each) in enumerate(struct.iter_unpack("=HBBI", self._code.raw)) if each == value
        ]
        return [ctypes.c_uint32.from_buffer(self._code, 8 * at + 4) for at in found]


def apply(code: bytes) -> Layer:
    """Install a filter, irrevocably, for the calling thread and what it forks. Requires no_new_privs.

    Args:
        code: from `assemble`.
    """
    program = Program(code)
    try:
        libc.prctl(PR_SET_SECCOMP, MODE_FILTER, program.address)
    except OSError as error:
        return Layer(False, f"the kernel refused the filter: {error.strerror}")
    return Layer(True, "any system call that is not allowed ends the process")
