"""Attacks on memory: new code, more of it than was granted, memory that others see, and a corrupted heap."""

from __future__ import annotations

import ctypes
import errno
import mmap
import signal
from collections.abc import Callable

from flowcage.child.engine.context import library

from . import machine_code
from .attack import MACHINE, Attack, Deed, Preparation, Scene, call, system_call
from .numbers import NUMBERS

_R, _RW, _RWX, _RX = 1, 3, 7, 5
_SHARED, _PRIVATE, _FIXED, _ANONYMOUS = 1, 2, 0x10, 0x20
_GROWS_DOWN, _LOCKED, _POPULATE, _HUGE = 0x100, 0x2000, 0x8000, 0x40000
_OWN = _PRIVATE | _ANONYMOUS
_NONE = -1
_PAGE = mmap.PAGESIZE
_FAR_TOO_MUCH = 64 * 1024**3
_X86 = ("x86_64",)
_CODE, _MAPPED, _LIMIT, _DEATH = "executable memory", "mapped memory", "the memory limit", "memory errors"

_kept: list[object] = []


def _page(_: Scene) -> int:
    page = mmap.mmap(-1, _PAGE, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    page.write(machine_code.return_one())
    _kept.append(page)
    return ctypes.addressof(ctypes.c_char.from_buffer(page))


def _library(_: Scene) -> int:
    """A page of the C library's code."""
    address = ctypes.cast(ctypes.CDLL(None).abort, ctypes.c_void_p).value
    assert address is not None
    return address & ~(_PAGE - 1)


def _run_data(scene: Scene) -> Deed:
    return ctypes.CFUNCTYPE(ctypes.c_long)(_page(scene))


def _callback(_: Scene) -> int:
    """Code that ctypes wrote, for a callback of its own."""
    function = ctypes.CFUNCTYPE(ctypes.c_long)(lambda: 0)
    _kept.append(function)
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    return address


def _rewrite_callback(scene: Scene) -> Deed:
    """As through a bug of the engine's: write to an address, and have a callback called."""
    address, code = _callback(scene), machine_code.return_one()
    run = ctypes.CFUNCTYPE(ctypes.c_long)(address)

    def deed() -> int:
        ctypes.memmove(address, code, len(code))
        return int(run()) - 1  # the callback itself would return 0

    return deed


def _rewrite_engine(rights: int | None) -> Preparation:
    """Have code of the engine's written over as data, given these rights again, if any, and run."""

    def prepare(_: Scene) -> Deed:
        number, code = NUMBERS[MACHINE]["mprotect"], machine_code.return_one()
        address = ctypes.cast(library().JS_GetVersion, ctypes.c_void_p).value
        assert address is not None
        page, run = address & ~(_PAGE - 1), ctypes.CFUNCTYPE(ctypes.c_long)(address)

        def deed() -> int:
            if (refused := system_call(number, page, 2 * _PAGE, _RW)) < 0:
                return refused
            ctypes.memmove(address, code, len(code))
            if rights is not None and (refused := system_call(number, page, 2 * _PAGE, rights)) < 0:
                return refused
            return int(run()) - 1

        return deed

    return prepare


def _write_to_code(scene: Scene) -> Deed:
    address = _library(scene)

    def deed() -> int:
        ctypes.memset(address, 0xC3, 1)
        return 0

    return deed


def _free_twice(_: Scene) -> Deed:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    address = ctypes.c_void_p(libc.malloc(64))

    def deed() -> int:
        libc.free(address)
        libc.free(address)
        libc.free(address)
        return 0

    return deed


def _abort(_: Scene) -> Deed:
    return ctypes.CDLL(None).abort


def _outlive_abort(_: Scene) -> Deed:
    """A handler for the one signal that it may catch and send; only its return needs sigreturn."""
    libc = ctypes.CDLL(None)
    libc.signal.argtypes = ctypes.c_int, ctypes.c_void_p
    raise_signal = libc["raise"]
    handler = ctypes.cast(libc.labs, ctypes.c_void_p)

    def deed() -> int:
        libc.signal(signal.SIGABRT, handler)
        return int(raise_signal(signal.SIGABRT))

    return deed


def _grow_the_break(_: Scene) -> Deed:
    number = NUMBERS[MACHINE]["brk"]

    def deed() -> int:
        before = system_call(number, 0)
        return 0 if system_call(number, before + _FAR_TOO_MUCH) > before else -errno.ENOMEM

    return deed


def _fill_memory(_: Scene) -> Deed:
    """Many small mappings instead of one large one; without a limit it is content with 2 GiB."""
    number = NUMBERS[MACHINE]["mmap"]

    def deed() -> int:
        for _ in range(32):
            result = system_call(number, 0, 64 * 1024**2, _RW, _OWN, _NONE, 0)
            if result < 0:
                return result
        return 0

    return deed


def _protect(name: str, address: Callable[[Scene], int], rights: int, *more: int) -> Preparation:
    return call(name, address, _PAGE, rights, *more)


_NEW_CODE: list[tuple[str, Preparation]] = [
    ("map writable code", call("mmap", 0, _PAGE, _RWX, _OWN, _NONE, 0)),
    ("map code", call("mmap", 0, _PAGE, _RX, _OWN, _NONE, 0)),
    ("map a file as code", call("mmap", 0, _PAGE, _RX, _PRIVATE, 5, 0)),
    ("turn data into writable code", _protect("mprotect", _page, _RWX)),
    ("turn data into code", _protect("mprotect", _page, _RX)),
    ("turn data into code with a key", _protect("pkey_mprotect", _page, _RX, -1)),
    ("make code writable and keep it code", _protect("mprotect", _library, _RWX)),
    ("have everything readable run", call("personality", 0x0400000)),
    ("switch off address randomisation", call("personality", 0x0040000)),
    ("make a file of memory", call("memfd_create", b"code", 0)),
    ("make a secret file of memory", call("memfd_secret", 0)),
    ("make a key for memory", call("pkey_alloc", 0, 0)),
    ("make a shadow stack", call("map_shadow_stack", 0, _PAGE, 0)),
]
_NEW_MAPPINGS: list[tuple[str, Preparation]] = [
    ("map memory that a fork would share", call("mmap", 0, _PAGE, _RW, _SHARED | _ANONYMOUS, _NONE, 0)),
    ("map over its own memory", call("mmap", _page, _PAGE, _RW, _OWN | _FIXED, _NONE, 0)),
    ("map a descriptor", call("mmap", 0, _PAGE, _R, _PRIVATE, 5, 0)),
    ("map memory that grows", call("mmap", 0, _PAGE, _RW, _OWN | _GROWS_DOWN, _NONE, 0)),
    ("map memory that stays", call("mmap", 0, _PAGE, _RW, _OWN | _LOCKED, _NONE, 0)),
    ("map memory that is there at once", call("mmap", 0, _PAGE, _RW, _OWN | _POPULATE, _NONE, 0)),
    ("map huge pages", call("mmap", 0, 1 << 21, _RW, _OWN | _HUGE, _NONE, 0)),
    ("map with flags that are too wide", call("mmap", 0, _PAGE, _RW, _OWN | 1 << 32, _NONE, 0)),
    ("move memory to a chosen place", call("mremap", _page, _PAGE, _PAGE, 3, _page)),
    ("move memory and leave it mapped", call("mremap", _page, _PAGE, _PAGE, 5, 0)),
    ("keep memory from forks", call("madvise", _page, _PAGE, 10)),
    ("have its pages merged with others'", call("madvise", _page, _PAGE, 12)),
    ("have huge pages", call("madvise", _page, _PAGE, 14)),
    ("page memory out", call("madvise", _page, _PAGE, 21)),
    ("reserve memory", call("mlock", _page, _PAGE)),
    ("reserve memory with flags", call("mlock2", _page, _PAGE, 0)),
    ("reserve all its memory", call("mlockall", 1)),
    ("see which pages are in memory", call("mincore", _library, _PAGE, bytes(8))),
    ("write memory back", call("msync", _page, _PAGE, 4)),
    ("bind memory to a node", call("mbind", _page, _PAGE, 0, 0, 0, 0)),
    ("seal memory", call("mseal", _page, _PAGE, 0)),
    ("rearrange pages", call("remap_file_pages", _page, _PAGE, 0, 0, 0)),
    ("change its segments", call("modify_ldt", 0, bytes(64), 64)),
    ("ask for its segment base", call("arch_prctl", 0x1003, bytes(8))),
]
_REACHED = {
    "map a file as code": ("ENODEV",),
    "map a descriptor": ("ENODEV",),
    "map huge pages": ("ENOMEM",),
    "move memory to a chosen place": ("EINVAL",),
    "rearrange pages": ("EINVAL",),
}

ATTACKS = [
    *(Attack(_CODE, name, prepare, reached=_REACHED.get(name, ())) for name, prepare in _NEW_CODE),
    Attack(_CODE, "run data", _run_data, ("SIGSEGV",), machines=_X86),
    Attack(_CODE, "write to code", _write_to_code, ("SIGSEGV",)),
    Attack(_CODE, "write over a callback and run it", _rewrite_callback, ("SIGSEGV",), machines=_X86),
    Attack(_CODE, "write over the engine and run it", _rewrite_engine(None), ("SIGSEGV",), machines=_X86),
    Attack(_CODE, "write over the engine and make it code again", _rewrite_engine(_RX), machines=_X86),
    *(Attack(_MAPPED, name, prepare, reached=_REACHED.get(name, ())) for name, prepare in _NEW_MAPPINGS),
    Attack(_LIMIT, "map far too much memory", call("mmap", 0, _FAR_TOO_MUCH, _RW, _OWN, -1, 0), ("ENOMEM",)),
    Attack(
        _LIMIT,
        "reserve far too many addresses",
        call("mmap", 0, _FAR_TOO_MUCH, _RW, _OWN | 0x4000, -1, 0),
        ("ENOMEM",),
    ),
    Attack(_LIMIT, "fill memory bit by bit", _fill_memory, ("ENOMEM",)),
    Attack(_LIMIT, "stretch memory too far", call("mremap", _page, _PAGE, _FAR_TOO_MUCH, 1), ("ENOMEM",)),
    Attack(_LIMIT, "grow the break too far", _grow_the_break, ("ENOMEM",)),
    Attack(_DEATH, "corrupt the heap", _free_twice, ("SIGABRT", "SIGSEGV")),
    Attack(_DEATH, "abort", _abort, ("SIGABRT",)),
    Attack(_DEATH, "outlive its own abort", _outlive_abort),
    Attack(_DEATH, "forge a signal's return", call("rt_sigreturn")),
]
