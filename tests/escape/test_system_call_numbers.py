"""The numbers that the cage was written with, against the kernel's own headers (linux-libc-dev)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flowcage.child.cage import landlock
from flowcage.child.cage.architecture import AARCH64, X86_64, Architecture

INCLUDE = Path("/usr/include")
_DEFINITION = re.compile(r"^#define\s+__NR(?:3264)?_(\w+)\s+(?:__NR(?:3264)?_(\w+)|(\d+))\s*$", re.MULTILINE)


def header(*names: str) -> str:
    """The first of these headers that is installed; a distribution may keep one per architecture."""
    for name in names:
        for path in (INCLUDE / name, *sorted(INCLUDE.glob(f"*-linux-gnu/{name}"))):
            if path.is_file():
                return path.read_text()
    pytest.skip(f"no {names[0]} here (Debian's linux-libc-dev has it)")


def numbers(text: str) -> dict[str, int]:
    """System calls by name. The generic header names some twice, by way of another (``__NR3264_mmap``)."""
    found: dict[str, int] = {}
    for name, other, number in _DEFINITION.findall(text):
        if number or other in found:  # the rest is for 32 bits
            found[name] = int(number or found[other])
    assert len(found) > 250, "this is no list of system calls"
    return found


def x86_64() -> dict[str, int]:
    return numbers(header("asm/unistd_64.h"))


def aarch64() -> dict[str, int]:
    return numbers(header("asm-generic/unistd.h"))


def test_the_numbers_of_x86_64_are_the_kernels() -> None:
    known = x86_64()
    assert X86_64.numbers == {name: known[name] for name in X86_64.numbers}


def test_the_numbers_of_aarch64_are_the_kernels() -> None:
    known = aarch64()
    assert AARCH64.numbers == {name: known[name] for name in AARCH64.numbers}


def test_aarch64_has_every_call_that_the_kernel_gives_it() -> None:
    assert set(X86_64.numbers) & set(aarch64()) == set(AARCH64.numbers)


@pytest.mark.parametrize(
    ("architecture", "machine"), [(X86_64, "EM_X86_64"), (AARCH64, "EM_AARCH64")], ids=["x86_64", "aarch64"]
)
def test_the_audit_number_is_that_of_a_64_bit_little_endian_machine(
    architecture: Architecture, machine: str
) -> None:
    found = re.search(rf"^#define\s+{machine}\s+(\d+)", header("linux/elf-em.h"), re.MULTILINE)
    assert found is not None
    # __AUDIT_ARCH_64BIT and __AUDIT_ARCH_LE
    assert architecture.audit == int(found[1]) | 0x8000_0000 | 0x4000_0000


def test_the_calls_that_close_the_cage_have_the_kernels_numbers() -> None:
    for known in (x86_64(), aarch64()):
        assert known["landlock_create_ruleset"] == landlock._CREATE_RULESET
        assert known["landlock_restrict_self"] == landlock._RESTRICT_SELF
