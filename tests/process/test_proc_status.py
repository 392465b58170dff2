"""The host asks the kernel, line by line, whether a child is caged."""

from __future__ import annotations

import os
import resource

import pytest

from flowcage.host import LaunchFailed
from flowcage.host.process.proc_status import require_cage, why_not_caged

CAGED = {
    "Threads": "1",
    "CapPrm": "0000000000000000",
    "CapEff": "0000000000000000",
    "NoNewPrivs": "1",
    "Seccomp": "2",
}


def status(lines: dict[str, str]) -> bytes:
    return "".join(f"{name}:\t{value}\n" for name, value in lines.items()).encode()


def test_a_caged_child_is_taken_as_one() -> None:
    assert why_not_caged(status(CAGED)) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Seccomp", "0"),
        ("Seccomp", "1"),
        ("NoNewPrivs", "0"),
        ("Threads", "2"),
        ("CapEff", "0000000000000001"),
        ("CapPrm", "0000000000000020"),
    ],
)
def test_each_line_counts(name: str, value: str) -> None:
    expected = f"{name} is {value}, not {CAGED[name]}"
    assert why_not_caged(status(CAGED | {name: value})) == expected


@pytest.mark.parametrize("name", CAGED)
def test_each_line_counts_among_all_that_the_kernel_writes(name: str) -> None:
    lines = {"Name": "python", "Threads": "1", "SigQ": "0/1", "CapInh": "0" * 16} | CAGED
    lines |= {"CapBnd": "0" * 16, "NoNewPrivs": "1", "Seccomp": "2", "Seccomp_filters": "1"}
    assert why_not_caged(status(lines)) is None
    expected = f"{name} is 7, not {CAGED[name]}"
    assert why_not_caged(status(lines | {name: "7"})) == expected


@pytest.mark.parametrize("name", CAGED)
def test_a_line_that_is_not_there_is_none_that_holds(name: str) -> None:
    assert why_not_caged(status({key: CAGED[key] for key in CAGED if key != name})) is not None


def test_without_a_descriptor_to_ask_with_it_is_not_the_machine_that_lacks_something() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(LaunchFailed, match="Too many open files"):
            require_cage(os.getpid())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
