"""Memory that code could be written to: how it is found, and that a child has none."""

from __future__ import annotations

import os
import sys

import pytest

from flowcage.child.cage import code
from flowcage.protocol.layers import STRICT_LAYERS, missing_layers
from flowcage.protocol.messages import Layer

from .caged import Caged

LIBRARY = b"7f0000000000-7f0000100000 r-xp 00001000 fe:00 33 /usr/lib/libc.so.6\n"
DATA = b"7f0000200000-7f0000300000 rw-p 00000000 00:00 0 \n"
CALLBACKS = b"7f0000400000-7f0000401000 rwxp 00000000 00:00 0 \n"
# What libffi does where the kernel refuses the above: a file without a name, mapped twice.
VIEW_TO_RUN = b"7f0000500000-7f0000501000 r-xs 00000000 00:01 77 /memfd:libffi (deleted)\n"
VIEW_TO_WRITE = b"7f0000600000-7f0000601000 rw-s 00000000 00:01 77 /memfd:libffi (deleted)\n"
CACHE = b"7f0000700000-7f0000701000 r--s 00000000 fe:00 34 /usr/lib/gconv-modules.cache\n"
SHARED = b"7f0000800000-7f0000801000 rw-s 00000000 00:01 78 /dev/zero (deleted)\n"
READ, EXECUTE = 1, 4


@pytest.mark.parametrize(
    ("maps", "found"),
    [
        (LIBRARY + DATA + CACHE, 0),
        (LIBRARY + CALLBACKS, 1),
        (VIEW_TO_RUN, 0),
        (VIEW_TO_RUN + VIEW_TO_WRITE, 1),
        (SHARED + CALLBACKS, 1),
    ],
)
def test_memory_that_can_be_given_new_code_is_found(maps: bytes, found: int) -> None:
    assert len(code.changeable(maps)) == found


@pytest.mark.parametrize(
    ("maps", "address", "changes"),
    [
        (CALLBACKS + DATA, 0x7F0000400010, [(0x7F0000400000, 0x7F0000401000, READ | EXECUTE)]),
        (VIEW_TO_RUN + VIEW_TO_WRITE, 0x7F0000500010, [(0x7F0000600000, 0x7F0000601000, READ)]),
        (LIBRARY + DATA + CALLBACKS, 0x7F0000000010, []),  # callbacks in the library's own text
        (VIEW_TO_RUN + SHARED, 0x7F0000500010, []),
    ],
)
def test_only_what_holds_callbacks_is_changed(
    maps: bytes, address: int, changes: list[tuple[int, int, int]]
) -> None:
    assert code.changes(maps, address) == changes


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root sees these maps")
def test_a_child_has_no_memory_that_new_code_could_be_written_to() -> None:
    with Caged() as child:
        child.request_before_initialize()
        before = code.changeable(child.proc("maps").encode())
        assert child.enter()["isolation"]["sealed_code"]["applied"]
        assert code.changeable(child.proc("maps").encode()) == []
        child.start("for (;;);", dialect="module")  # the callbacks are still there to be called
        child.request("shutdown")
        child.expect_exit()
    assert len(before) <= 1


def test_a_child_of_an_earlier_release_does_not_name_the_layer_and_one_of_this_must_have_it() -> None:
    held = dict.fromkeys(STRICT_LAYERS, Layer(True, ""))
    assert missing_layers(held) == []
    assert missing_layers(held | {"sealed_code": Layer(False, "")}) == ["sealed_code"]
    del held["sealed_code"]
    assert missing_layers(held) == []
    del held["seccomp"]
    assert missing_layers(held) == ["seccomp"]
