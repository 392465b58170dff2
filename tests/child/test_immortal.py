"""Objects of a zygote that are made immortal: their counts stay, also in use, in forks and collections."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from flowcage.child import immortal

DEADLINE_S = 120.0
NEEDS = pytest.mark.skipif(not immortal.is_possible(), reason="CPython 3.12 or 3.13 has immortal objects")
# What is made immortal cannot be undone, so it happens in a process of its own.
PROBE = """
import gc, json, os, sys
from flowcage.child import immortal

class Thing:
    def __init__(self, name): self.name = name
    def double(self, factor=2.5): return [self.name] * 2, factor * 2

def count(item): return immortal._count_of(item).value

thing, texts = Thing("a name " + str(os.getpid())), ["text %d" % number for number in range(5000)]
young = []
for step in immortal.immortalise():
    young.append(Thing("made meanwhile"))
code = Thing.double.__code__
marked = [thing, thing.name, Thing, Thing.double, code, code.co_consts, Thing.double.__defaults__[0],
          texts, *texts, gc.collect, sys.modules]
before = {count(item) for item in marked}
late = Thing("late")
for _ in range(1000):
    marked.append(thing.double()), marked.pop()
    texts.append(late), texts.pop()
gc.collect()
pid = os.fork()
if pid == 0:
    gc.collect()
    os._exit(0 if thing.double() == ([thing.name] * 2, 5.0) else 1)
child = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(json.dumps({
    "before": list(before), "after": list({count(item) for item in marked}), "late": count(late),
    "young": len(young), "child": child, "frozen": gc.get_freeze_count(),
}))
os._exit(0)
"""


def probe() -> dict[str, Any]:
    command = [sys.executable, "-c", PROBE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    assert not done.stderr
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


@NEEDS
def test_counts_of_what_could_be_reached_are_never_written_to_again() -> None:
    figures = probe()
    assert figures["before"] == figures["after"] == [0xFFFFFFFF]
    assert figures["child"] == 0
    assert figures["frozen"] > 5000


@NEEDS
def test_what_is_made_later_is_counted_as_always() -> None:
    figures = probe()
    assert figures["young"] > 5  # steps, between which others may work
    assert 1 < figures["late"] < 10


def test_an_object_whose_count_does_not_obey_forbids_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(immortal, "_IMMORTAL", 0x7FFF0000)  # counted on like any other number
    assert not immortal._is_left_alone([])
    assert not immortal.is_possible()


def test_other_versions_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(immortal, "_VERSIONS", ((3, 99),))
    assert not immortal.is_possible()
