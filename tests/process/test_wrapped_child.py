"""A launcher whose process is not the child itself, tried with real wrappers."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from flowcage.host import LaunchFailed, RunOptions, Spawn, run_workflow_blocking
from flowcage.host.outcome.verdict import Verdict

from ..child.child_process import COMMAND

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel is asked on Linux only")

COMMAND_LINE = " ".join(COMMAND)
WRAPPERS = {
    "sh": ("sh", "-c", f"{COMMAND_LINE}; exit $?"),
    "setsid": ("setsid", "--wait", *COMMAND),
    "timeout": ("timeout", "100", *COMMAND),
    "unshare": ("unshare", "--fork", *COMMAND),
}


def run(command: tuple[str, ...], **options: Any) -> object:
    """The result of a trivial workflow."""
    return run_workflow_blocking("return 1", options=RunOptions(launcher=Spawn(command), **options)).result


@pytest.mark.parametrize("name", WRAPPERS)
def test_a_wrapper_is_told_that_it_is_one_and_what_to_do(name: str) -> None:
    with pytest.raises(LaunchFailed) as caught:
        run(WRAPPERS[name])

    assert f"({name!r}), which is not the caged child itself (Seccomp is 0, not 2)" in str(caught.value)
    assert "sh -c 'exec …'" in str(caught.value)
    assert caught.value.verdict is Verdict.NOT_STARTED


def test_a_wrapper_that_left_at_once_is_told_the_same() -> None:
    with pytest.raises(LaunchFailed, match=r"'setsid'.* probably a wrapper"):
        run(("setsid", *COMMAND))


@pytest.mark.parametrize(
    "command",
    [("sh", "-c", f"exec {COMMAND_LINE}"), ("nice", *COMMAND), ("env", *COMMAND)],
    ids=lambda command: str(command[0]),
)
def test_what_executes_the_child_in_its_place_is_no_wrapper(command: tuple[str, ...]) -> None:
    assert run(command, isolation="strict") == 1


@pytest.mark.parametrize("name", WRAPPERS)
def test_who_trusts_the_childs_word_may_wrap_it(name: str) -> None:
    assert run(WRAPPERS[name], isolation="best_effort") == 1
