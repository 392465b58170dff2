"""Code and memory that a zygote puts side by side: behaviour stays, and addresses are close to each other."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import traceback
from collections.abc import Callable

import pytest

from flowcage.child import gathering

DEADLINE_S = 120.0
PAGE_BYTES = 4096
# What is allocated for good stays so, hence in a process of its own.
PROBE = """
import json, os, sys
from flowcage.child import gathering

several = [[bytes(size) for _ in range(4000)] for size in (70, 150, 330)]
for blocks in several:
    del blocks[::2]
gathering.fill_holes()
later = [[bytes(size) for _ in range(8)] for size in (70, 150, 330)]
print(json.dumps([[id(block) for block in blocks] for blocks in later]))
"""


def add(number: int) -> int:
    return 1 + number


def make_adder(number: int) -> Callable[[int], int]:
    def inner(other: int) -> int:
        return number + other

    return inner


def fail() -> None:
    raise ValueError("the last line of it")


def test_the_code_that_runs_is_found() -> None:
    adder = make_adder(3)
    found = gathering.code_that_runs(lambda: print(add(1), adder(1)))
    assert {id(add.__code__), id(adder.__code__)} <= found
    assert id(fail.__code__) not in found
    assert sys.getprofile() is None


def test_functions_with_gathered_code_do_what_they_did() -> None:
    adder = make_adder(3)
    before = [function.__code__ for function in (add, make_adder, adder, fail)]
    gathering.gather({*map(id, before)})
    gc.unfreeze()
    after = [function.__code__ for function in (add, make_adder, adder, fail)]
    assert all(new.co_code.startswith(old.co_code) for new, old in zip(after, before, strict=True))
    assert not {*map(id, before)} & {*map(id, after)}
    assert id(make_adder(1).__code__) == id(adder.__code__)
    assert (add(2), adder(4), make_adder(5)(6)) == (3, 7, 11)
    with pytest.raises(ValueError, match="the last line") as raised:
        fail()
    assert traceback.extract_tb(raised.tb)[-1].lineno == fail.__code__.co_firstlineno + 1


def test_what_is_allocated_after_the_holes_are_filled_lies_side_by_side() -> None:
    command = [sys.executable, "-c", PROBE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    for addresses in json.loads(done.stdout):
        assert max(addresses) - min(addresses) < PAGE_BYTES
