"""A schema has won native code execution in the process that applies it: it reaches nothing either.

The cage is the child's own, which the other tests of this room attack one call at a time. Here the real
checker, started by the real host, does something else with its task.
"""

from __future__ import annotations

import os
import sys
from functools import partial

import pytest

from flowcage.host.agents import AgentError

from ..host.checkers import Recorded, program, settle

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the cage is Linux's")

TURNED = """
import mmap, os, signal, socket, sys
from flowcage.child.checker import __main__ as checker
def attack(text):
    {deed}
    return {{"problem": "got through"}}
checker.reply_to = attack
checker.main()
"""
# What it does, and how that ends: a refusal is an exception, after which the checker leaves with status 70.
ATTACKS = {
    "read a file": ("open('/etc/passwd')", "its process exited with status 70"),
    "look into its host": ("open('/proc/1/environ')", "its process exited with status 70"),
    "open a socket": ("socket.socket()", "its process was killed by SIGSYS"),
    "fork": ("os.fork()", "its process was killed by SIGSYS"),
    "execute a program": ("os.execv('/bin/true', ['true'])", "its process was killed by SIGSYS"),
    "kill its host": ("os.kill(os.getppid(), signal.SIGKILL)", "its process was killed by SIGSYS"),
    "become root": ("os.setresuid(0, 0, 0)", "its process was killed by SIGSYS"),
    "write to a descriptor of its host": ("os.write(5, b'x')", "its process was killed by SIGSYS"),
    "map new code": (
        "mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)",
        "its process was killed by SIGSYS",
    ),
}
REFERENCE = {"$ref": "#/$defs/a", "$defs": {"a": True}, "propertyNames": True}


@pytest.mark.parametrize(("deed", "end"), ATTACKS.values(), ids=ATTACKS)
def test_an_attack_from_the_checker_ends_as_the_policy_says(deed: str, end: str) -> None:
    recorded = Recorded(program(TURNED.format(deed=deed)))
    with pytest.raises(AgentError) as caught:
        settle(partial(recorded.checks.admit, REFERENCE))
    assert str(caught.value) == f"options.schema could not be applied: {end}"
    assert len(recorded.cpu_seconds) == 1


def test_attacks_are_real_the_same_program_without_one_gets_through() -> None:
    recorded = Recorded(program(TURNED.format(deed="pass")))
    usable = settle(partial(recorded.checks.admit, REFERENCE))
    assert settle(partial(usable.why_not, 1)) == "got through"


def test_attacks_are_real_without_a_cage_one_gets_through() -> None:
    recorded = Recorded(program(TURNED.format(deed="open('/etc/passwd')")), "none")
    assert os.path.exists("/etc/passwd")
    with pytest.raises(AgentError, match="exited with status 70"):  # no descriptor is left, whatever the cage
        settle(partial(recorded.checks.admit, REFERENCE))
