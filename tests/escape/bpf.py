"""What a kernel does with a seccomp filter: a small interpreter of classic BPF (linux/filter.h)."""

from __future__ import annotations

import struct

LOAD_WORD, AND, JUMP_EQUAL, JUMP_AT_LEAST, RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
# linux/seccomp.h: SECCOMP_RET_ALLOW, _ERRNO and _KILL_PROCESS (that of value 0 ends one thread only)
ALLOW, ERRNO, KILL_PROCESS = 0x7FFF_0000, 0x0005_0000, 0x8000_0000
LOW_WORD = 0xFFFFFFFF
DATA_BYTES = 64  # struct seccomp_data


def decode(code: bytes) -> list[tuple[int, int, int, int]]:
    """The program's instructions: opcode, jump if true, jump if false, constant."""
    return list(struct.iter_unpack("=HBBI", code))


def seccomp_data(number: int, audit: int, arguments: tuple[int, ...]) -> bytes:
    """What the filter gets to see; each argument is the whole register."""
    registers = [argument & (2**64 - 1) for argument in (*arguments, 0, 0, 0, 0, 0, 0)[:6]]
    return struct.pack("<IIQ6Q", number & LOW_WORD, audit, 0x7F00_0000_1000, *registers)


def run(program: list[tuple[int, int, int, int]], data: bytes) -> int:
    """The action that the filter returns.

    Raises:
        ValueError: an instruction that no filter of ours needs, or a load outside of the data.
        IndexError: the program ran off its end.
    """
    accumulator = at = 0
    while True:
        opcode, if_true, if_false, constant = program[at]
        at += 1
        if opcode == RETURN:
            return constant
        if opcode == LOAD_WORD:
            if constant % 4 or constant >= DATA_BYTES:
                raise ValueError(f"load at {constant}")
            (accumulator,) = struct.unpack_from("<I", data, constant)
        elif opcode == AND:
            accumulator &= constant
        elif opcode == JUMP_EQUAL:
            at += if_true if accumulator == constant else if_false
        elif opcode == JUMP_AT_LEAST:
            at += if_true if accumulator >= constant else if_false
        else:
            raise ValueError(f"opcode {opcode:#x}")
