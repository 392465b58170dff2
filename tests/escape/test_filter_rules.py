"""The filter's rules, on both architectures: what is allowed passes, and each argument changed kills."""

from __future__ import annotations

import errno
from collections.abc import Iterable

import pytest

from flowcage.child.cage.architecture import AARCH64, X86_64, Architecture
from flowcage.child.cage.policy import ANY_BITS, Check
from flowcage.child.cage.seccomp import assemble

from . import bpf
from .bpf import ALLOW, ERRNO, KILL_PROCESS
from .filter_rules import BEFORE_THE_FILTER, PID, QUESTIONS, RULES, Call, killing, passing, rules_for

POLICY = rules_for(PID)
REFUSE = ERRNO | errno.EACCES
HIGHEST = 600  # the kernel's own numbers end below 500
BITS = range(64)


class Filter:
    """The assembled program of one architecture, to be asked."""

    def __init__(self, architecture: Architecture) -> None:
        self.numbers = architecture.numbers
        self.audit = architecture.audit
        self.program = bpf.decode(assemble(POLICY, architecture))

    def known(self, calls: Iterable[Call]) -> list[Call]:
        """Those of the calls that the architecture has."""
        return [call for call in calls if call.name in self.numbers]

    def of(self, name: str, *arguments: int) -> int:
        return self.of_number(self.numbers[name], *arguments)

    def of_number(self, number: int, *arguments: int, audit: int | None = None) -> int:
        return bpf.run(self.program, bpf.seccomp_data(number, audit or self.audit, arguments))


@pytest.fixture(params=[X86_64, AARCH64], ids=["x86_64", "aarch64"])
def seccomp_filter(request: pytest.FixtureRequest) -> Filter:
    return Filter(request.param)


def test_the_rules_and_the_policy_are_about_the_same_calls() -> None:
    assert set(RULES) == set(POLICY.allowed)
    assert set(POLICY.refused) == QUESTIONS
    for name, checks in POLICY.allowed.items():
        assert {check.argument for check in checks} == set(RULES[name].kills), name


def test_every_rule_passes_something() -> None:
    assert {call.name for call in passing()} == set(RULES)
    assert all(values for rule in RULES.values() for values in rule.kills.values())


def test_what_an_architecture_has_not_is_only_what_newer_calls_replaced() -> None:
    assert set(X86_64.numbers) == set(RULES) | QUESTIONS | BEFORE_THE_FILTER
    missing = {"open", "stat", "lstat", "access", "readlink", "time"}
    assert set(AARCH64.numbers) == set(X86_64.numbers) - missing


def test_an_allowed_call_passes(seccomp_filter: Filter) -> None:
    calls = seccomp_filter.known(passing())
    assert [call for call in calls if seccomp_filter.of(call.name, *call.arguments) != ALLOW] == []


def test_an_allowed_call_with_one_argument_changed_kills(seccomp_filter: Filter) -> None:
    calls = seccomp_filter.known(killing())
    assert len(calls) > 300
    assert [call for call in calls if seccomp_filter.of(call.name, *call.arguments) != KILL_PROCESS] == []


def test_each_bit_of_a_checked_argument_counts(seccomp_filter: Filter) -> None:
    wrong = []
    for name, arguments in seccomp_filter.known(passing()):
        for check in POLICY.allowed[name]:
            for bit in BITS:
                changed = list(arguments)
                changed[check.argument] ^= 1 << bit
                expected = ALLOW if _holds(check, changed[check.argument]) else KILL_PROCESS
                if seccomp_filter.of(name, *changed) != expected:
                    wrong.append((name, changed, bit))
    assert wrong == []


def _holds(check: Check, value: int) -> bool:
    return value & check.mask & ANY_BITS in check.values


def test_arguments_that_no_rule_mentions_do_not_count(seccomp_filter: Filter) -> None:
    for name, arguments in seccomp_filter.known(passing()):
        checked = {check.argument for check in POLICY.allowed[name]}
        filled = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
        noise = [value if at in checked else ANY_BITS - at for at, value in enumerate(filled)]
        assert seccomp_filter.of(name, *noise) == ALLOW, name


def test_every_number_that_no_rule_mentions_kills(seccomp_filter: Filter) -> None:
    numbers = seccomp_filter.numbers
    known = {numbers[name] for name in {*RULES, *QUESTIONS} if name in numbers}
    unknown = [number for number in range(HIGHEST + 1) if number not in known]
    survivors = [
        number
        for number in unknown
        for arguments in ((), (PID, PID, 6), (3,), (0, 4096, 3, 0x22, ANY_BITS, 0), (ANY_BITS,) * 6)
        if seccomp_filter.of_number(number, *arguments) != KILL_PROCESS
    ]
    assert len(known) + len(unknown) == HIGHEST + 1
    assert survivors == []


def test_a_question_is_refused_whatever_its_arguments(seccomp_filter: Filter) -> None:
    for name in QUESTIONS & set(seccomp_filter.numbers):
        for arguments in ((), (0, 1, 2, 3, 4, 5), (ANY_BITS,) * 6):
            assert seccomp_filter.of(name, *arguments) == REFUSE, name


@pytest.mark.parametrize("foreign", [0x4000_0000, 0x8000_0000, 0xC000_0000])
def test_a_number_of_another_kind_kills_although_its_low_bits_are_allowed(
    seccomp_filter: Filter, foreign: int
) -> None:
    for name, arguments in seccomp_filter.known(passing()):
        number = foreign | seccomp_filter.numbers[name]
        assert seccomp_filter.of_number(number, *arguments) == KILL_PROCESS, name


@pytest.mark.parametrize("number", [-1, -2, 0x3FFF_FFFF, 0x4000_0000, 0x7FFF_FFFF, 0x8000_0000])
def test_a_number_that_is_none_kills(seccomp_filter: Filter, number: int) -> None:
    assert seccomp_filter.of_number(number) == KILL_PROCESS


# linux/audit.h: AUDIT_ARCH_I386, _ARM, _X86_64, _AARCH64, _RISCV64, and x86_64 without its bits.
FOREIGN = {0x4000_0003, 0x4000_0028, 0xC000_003E, 0xC000_00B7, 0xC000_00F3, 0x8000_003E, 62}


def test_every_call_of_another_architecture_kills(seccomp_filter: Filter) -> None:
    for audit in FOREIGN - {seccomp_filter.audit}:
        for number in range(HIGHEST + 1):
            assert seccomp_filter.of_number(number, 3, audit=audit) == KILL_PROCESS


def test_the_filter_can_only_allow_refuse_or_kill_and_ends_on_every_path(seccomp_filter: Filter) -> None:
    program = seccomp_filter.program
    assert {constant for opcode, _, _, constant in program if opcode == bpf.RETURN} == {
        ALLOW,
        REFUSE,
        KILL_PROCESS,
    }
    assert program[-1][0] == bpf.RETURN
    for at, (opcode, if_true, if_false, _) in enumerate(program):
        if opcode in (bpf.JUMP_EQUAL, bpf.JUMP_AT_LEAST):
            assert at + 1 + max(if_true, if_false) < len(program)
