"""Prepared children: their cage is that of the children that close it by themselves, call by call."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from flowcage.protocol import envelope
from flowcage.protocol.terms import Terms

from ..child.caged import ordinary_user
from ..host.seccomp import filter_of
from ..host.zygote import COMMAND, Zygote
from .prepared import FIRST, LIMITS, SAYING, changed, forked, line, prepare, state, zygote
from .strace import Strace, strace

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the cage is Linux's")

IS_ROOT = os.geteuid() == 0
# Whom a zygote may belong to, by what of the cage is other for them.
USERS = ["whoever tests", "an ordinary user", "root without CAP_SYS_ADMIN", "root without CAP_KILL"]


def becoming(user: str) -> tuple[str, ...]:
    """What to put before a command, so that this user runs it."""
    if user == "whoever tests":
        return ()
    if user == "an ordinary user":
        return ordinary_user()
    setpriv = shutil.which("setpriv")
    if not IS_ROOT or setpriv is None:
        pytest.skip("only root can become one with less")
    return (setpriv, "--bounding-set", f"-{user.rpartition('CAP_')[2].lower()}", "--")


def said(zygote: Zygote, messages: Sequence[bytes]) -> list[bool]:
    """Whether each child in turn was prepared; the zygote is one that was changed to say so."""
    found = []
    for message in messages:
        with forked(zygote, message) as told:
            found.append(told.said == b"prepared")
    return found


def result(reply: bytes) -> Any:
    return json.loads(reply)["result"]


@pytest.mark.parametrize("user", USERS)
def test_a_prepared_child_answers_as_the_others_and_the_kernel_tells_the_same_of_it(user: str) -> None:
    with zygote((*becoming(user), *changed(SAYING))) as one:
        prepare(one, line())
        with forked(one, line()) as prepared, forked(one, line(isolation="best_effort")) as other:
            assert (prepared.said, other.said) == (b"prepared", b"")
            assert prepared.reply == other.reply
            assert state(prepared.child.pid) == state(other.child.pid)
            if IS_ROOT:
                assert patched(prepared.child.pid) == patched(other.child.pid)


def patched(pid: int) -> list[tuple[int, ...]]:
    """The instructions of a child's filter, with 0 for its own id, which two of them have."""
    instructions = list(struct.iter_unpack("=HBBI", filter_of(pid)))
    assert [operand for *_, operand in instructions].count(pid) == 2
    return [(*rest, 0 if operand == pid else operand) for *rest, operand in instructions]


@pytest.mark.parametrize("user", USERS)
def test_a_prepared_child_makes_the_calls_of_the_others(user: str) -> None:
    with strace() as watch:
        by_itself, prepared, _ = calls(watch, (*watch.command, *becoming(user), *COMMAND))
    assert widths(by_itself) < widths(prepared) == 0xFFFFFFFF
    assert comparable(prepared) == comparable(by_itself)
    assert comparable(prepared)[-1].startswith("prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ")


def calls(watch: Strace, command: Sequence[str]) -> tuple[list[str], list[str], bytes]:
    """Those of the first child, those of a prepared one, and what that one said."""
    pids = []
    with zygote(command) as one:
        for _ in range(FIRST + 1):
            with forked(one, line()) as told:
                pids.append(told.child.pid)
    return watch.calls(pids[0]), watch.calls(pids[-1]), told.said


def comparable(calls: list[str]) -> list[str]:
    """From the own file of figures to the filter; descriptors may be closed up to any high number."""
    begin = next((at for at, call in enumerate(calls) if call.startswith("openat")), 0)
    return [re.sub(r"close_range\(6, \d+, 0\)", "close_range(6, HIGH, 0)", call) for call in calls[begin:]]


def widths(calls: list[str]) -> int:
    """The highest descriptor that is closed."""
    (found,) = re.findall(r"close_range\(6, (\d+), 0\)", "\n".join(calls))
    return int(found)


# A plan that leaves out one of its calls, by number.
_LEAVING_OUT = """
init = plan.Plan.__init__
def leave_out(self, *arguments):
    init(self, *arguments)
    del self._numbered[NUMBER:NUMBER + 1]
plan.Plan.__init__ = leave_out
"""
_MOST_CALLS = 25
# Who the child is, landlock_restrict_self, RLIMIT_AS, the filter.
_A_FEW = {5, 12, 15, 24}


@pytest.mark.parametrize(
    "number",
    [pytest.param(each, marks=[] if each in _A_FEW else pytest.mark.thorough) for each in range(_MOST_CALLS)],
)
def test_a_plan_without_one_of_its_calls_is_found_out(number: int) -> None:
    with strace() as watch:
        command = (*watch.command, *changed(SAYING + _LEAVING_OUT.replace("NUMBER", str(number))))
        by_itself, prepared, said = calls(watch, command)
    if number >= len(comparable(by_itself)):
        pytest.skip("on this machine a plan is shorter")
    # A trial child may have found it out.
    assert said != b"prepared" or comparable(prepared) != comparable(by_itself)


# Has each child expect another result of one call: the first child of the first call, and so on.
_DISAPPOINTED = """
find, carry_out, number = prepared.Lines.find, plan.Plan.carry_out, -1
def count(self, line):
    global number
    number += self._known.get(line) is not None
    return find(self, line)
def expect_another(self):
    if 0 <= number < len(self._numbered):
        call, arguments, expected = self._numbered[number]
        self._numbered[number] = call, arguments, expected + 1
    carry_out(self)
prepared.Lines.find, plan.Plan.carry_out = count, expect_another
"""


def test_a_call_with_another_result_than_expected_ends_the_child_before_it_answers() -> None:
    named: list[str] = []
    with zygote(changed(_DISAPPOINTED)) as one:
        prepare(one, line())
        while (ended := end_of(one)) is not None:
            named.append(ended)
    assert named[:3] == ["openat", "setpgid", "close_range"]
    assert named[-1] == "prctl"
    assert named.count("prlimit64") == 10
    assert {"capset", "getppid"} <= set(named)
    assert len(named) <= _MOST_CALLS


def end_of(zygote: Zygote) -> str | None:
    """The call that a child names as it ends with status 71; None for a child that answers."""
    child = zygote.fork(line())
    os.close(child.stdin)
    with open(child.stdout, "rb") as stdout, open(child.stderr) as stderr:
        reply, complaint = stdout.read(), stderr.read()
    _, status = os.waitpid(child.pid, 0)
    if reply:
        assert (status, complaint) == (0, "")
        return None
    assert os.waitstatus_to_exitcode(status) == os.EX_OSERR
    (name,) = re.findall(r"^flowcage-child: the prepared cage was not closed: (\w+): .*\n$", complaint)
    return str(name)


def test_a_line_that_comes_twice_is_prepared_for_and_two_are_remembered() -> None:
    one, two, three = (line(LIMITS._replace(cpu_seconds=seconds)) for seconds in (10, 20, 30))
    with zygote(changed(SAYING)) as forking:
        assert said(forking, [one] * 4) == [False, False, False, True]
        # Not one that comes now and then only.
        assert said(forking, [two, one, three, one, two]) == [False, True, False, True, False]
        assert said(forking, [two, two, one, two]) == [False, True, True, True]
        # The one that was used last stays.
        assert said(forking, [three, three, three]) == [False, False, True]
        assert said(forking, [two, one]) == [True, False]


@pytest.mark.parametrize(
    "message",
    [line(isolation="best_effort"), line(isolation="none"), line(version="9.0"), b"no JSON\n", b"{}\n"],
    ids=["best_effort", "none", "another version", "no JSON", "no request"],
)
def test_what_has_no_plan_goes_the_long_way_each_time(message: bytes) -> None:
    with zygote(changed(SAYING)) as forking:
        replies = []
        for _ in range(FIRST + 2):
            with forked(forking, message) as told:
                assert told.said == b""
                replies.append(told.reply)
        assert len(set(replies)) == 1
        assert json.loads(replies[0])["jsonrpc"] == "2.0"


def test_a_zygote_without_plans_prepares_nothing() -> None:
    with zygote(changed(SAYING), "--no-plan") as forking:
        assert said(forking, [line()] * (FIRST + 2)) == [False] * (FIRST + 2)


def test_a_servers_children_go_the_long_way() -> None:
    terms = Terms("strict", LIMITS)
    with zygote(changed(SAYING), "--terms", terms.to_argument()) as forking:
        for _ in range(FIRST + 2):
            with forked(forking, line()) as told:
                assert b"prepared" not in told.said
                assert result(told.reply)["limits"]["addressSpaceBytes"] == LIMITS.address_space_bytes


def test_a_line_that_is_too_long_for_a_request_is_refused() -> None:
    with zygote() as forking, pytest.raises(AssertionError, match="-not a request"):
        forking.fork(b" " * 10_000)


def test_each_child_has_the_limits_that_it_was_told() -> None:
    with zygote(changed(SAYING)) as forking:
        for seconds in (10, 20):
            message = line(LIMITS._replace(cpu_seconds=seconds))
            prepare(forking, message)
            with forked(forking, message) as told:
                assert told.said == b"prepared"
                assert result(told.reply)["limits"]["cpuSeconds"] == seconds
                limits = state(told.child.pid)["limits"]
                assert re.search(rf"Max cpu time +{seconds + 1} +{seconds + 2} ", limits)


# On a kernel before 5.9 close_range(2) is none.
_OLDER_KERNEL = """
from flowcage.child.cage import libc
raw_syscall = libc.raw_syscall
def without_close_range(number, *arguments):
    return -1 if number == 436 else raw_syscall(number, *arguments)
libc.raw_syscall = without_close_range
"""
_NO_PROCESS_LEFT = """
def refuse():
    raise BlockingIOError(11, "Resource temporarily unavailable")
os.fork = refuse
"""


@pytest.mark.parametrize("change", [_OLDER_KERNEL, _NO_PROCESS_LEFT], ids=["an older kernel", "no process"])
def test_a_plan_that_no_trial_child_could_carry_out_is_not_used(change: str) -> None:
    with zygote(changed(SAYING + change)) as forking:
        assert said(forking, [line()] * (FIRST + 3)) == [False] * (FIRST + 3)


def test_a_prepared_child_answers_what_comes_later_as_the_others() -> None:
    later: list[tuple[str, dict[str, Any]]] = [
        ("initialize", {"protocolVersion": "1.0"}),
        ("drain", {}),
        ("check", {"source": "export default 1"}),
        ("run", {"source": "export default await agent('x')", "args": {"n": 1}}),
        ("advance", {"turns": [[{"id": "1", "resolution": {"type": "ok", "value": 2}}]]}),
        ("shutdown", {}),
    ]
    lines = b"".join(envelope.request(number, *message) for number, message in enumerate(later, 2))
    answers = []
    with zygote(changed(SAYING)) as forking:
        prepare(forking, line())
        for message in (line(), line(isolation="best_effort")):
            with forked(forking, message) as told:
                os.write(told.child.stdin, lines)
                with open(told.child.stdout, "rb", closefd=False) as stdout:
                    answers.append((told.said, stdout.read()))
    assert (answers[0][0], answers[1][0]) == (b"prepared", b"")
    assert answers[0][1] == answers[1][1]
    assert [line.count(b'"error"') for line in answers[0][1].splitlines()] == [1, 1, 0, 0, 0, 0]
