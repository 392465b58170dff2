"""Instructions of x86_64 that no C library offers, in memory made executable while that could be had."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable
from functools import cache

from flowcage.child.cage import libc

# mov rax,rdi; mov rdi,rsi; mov rsi,rdx; mov rdx,rcx; mov r10,r8; mov r8,r9; syscall;
# test rax,rax; jz +1; ret; xor edi,edi; mov eax,60 (exit); syscall
_FORKING = bytes.fromhex("4889f8 4889f7 4889d6 4889ca 4d89c2 4d89c8 0f05 4885c0 7401 c3 31ff b83c000000 0f05")
# push rbx; mov eax,edi; xor ebx,ebx; xor ecx,ecx; xor edx,edx; int 0x80; movsxd rax,eax; pop rbx; ret
_INT_80 = bytes.fromhex("53 89f8 31db 31c9 31d2 cd80 4863c0 5b c3")
# mov rax,rdi; syscall; ret - a system call from where no library has one
_BARE = bytes.fromhex("4889f8 0f05 c3")
# mov eax,1; ret
_RETURN_ONE = bytes.fromhex("b801000000 c3")

_kept: list[mmap.mmap] = []


def forking_call() -> Callable[..., int]:
    """(number, five arguments): a system call that may return twice; the new process ends at once."""
    return _function(_FORKING, 6)


def int_80() -> Callable[..., int]:
    """(number): a system call by i386's gate and numbers, its arguments zero."""
    return _function(_INT_80, 1)


def bare_call() -> Callable[..., int]:
    """(number): a system call without arguments, from freshly written code."""
    return _function(_BARE, 1)


def return_one() -> bytes:
    """Code that proves by its result that it ran."""
    return _RETURN_ONE


def make_all() -> None:
    """Make all code now: the children of a process that can have no new code inherit it."""
    for make in (forking_call, int_80, bare_call):
        make()


@cache
def _function(code: bytes, arguments: int) -> Callable[..., int]:
    page = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE)
    page.write(code)
    _kept.append(page)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    # No longer writable: a cage that finds code that is does not close.
    libc.mprotect(address, 4096, mmap.PROT_READ | mmap.PROT_EXEC)
    return ctypes.CFUNCTYPE(ctypes.c_long, *[ctypes.c_long] * arguments)(address)
