"""``flowcage doctor``: its verdict, on this machine and on some that lack something."""

from __future__ import annotations

import json
import shlex
import subprocess
from typing import Any

import pytest

from flowcage.host.cli.operating.checks import Check, Examination, of_layers
from flowcage.protocol.layers import LAYERS
from flowcage.protocol.messages import Layer

from .command import DEADLINE, FLOWCAGE, flowcage

FACT, OK = Check("memory", "much"), Check("engine", "fast", "ok")
WEAKER, PROBLEM = Check("cage landlock", "no", "weaker", "a newer kernel"), Check("child", "no", "problem")


@pytest.mark.parametrize(
    ("checks", "verdict", "summary"),
    [
        ((), "ready", "ready"),
        ((FACT, OK), "ready", "ready"),
        ((OK, WEAKER), "ready_with_weaker_isolation", "ready with weaker isolation: landlock"),
        ((WEAKER, PROBLEM, PROBLEM), "not_ready", "not ready: child, child"),
    ],
)
def test_the_worst_check_decides(checks: tuple[Check, ...], verdict: str, summary: str) -> None:
    examined = Examination(checks)
    assert (examined.verdict, examined.summary) == (verdict, summary)
    assert examined.lines()[-1] == f"verdict:                 {summary}"
    assert examined.to_json()["verdict"] == verdict


def test_what_to_do_is_said_below_what_is_missing() -> None:
    lines = Examination((OK, WEAKER)).lines()
    assert lines[1:3] == ["cage landlock:           no", f"{'':<24} to do: a newer kernel"]
    assert Examination((WEAKER,)).to_json()["checks"] == [
        {"name": "cage landlock", "state": "weaker", "value": "no", "advice": "a newer kernel"}
    ]


@pytest.mark.parametrize(
    ("missing", "is_required", "state"),
    [("seccomp", True, "problem"), ("seccomp", False, "weaker"), ("landlock", True, "weaker")],
)
def test_a_missing_layer_counts_for_what_strict_isolation_asks(
    missing: str, is_required: bool, state: str
) -> None:
    isolation = {name: Layer(name != missing, "why") for name in LAYERS}
    checks = list(of_layers(isolation, is_required=is_required))
    assert [check.name for check in checks] == [f"cage {name}" for name in LAYERS]
    assert [(check.name, check.state) for check in checks if check.state != "ok"] == [
        (f"cage {missing}", state)
    ]


def test_who_is_not_root_lacks_no_user_of_its_own() -> None:
    isolation = {name: Layer(name != "uid", "why") for name in LAYERS}
    layers = [of_layers(isolation, is_required=True, is_root=is_root) for is_root in (True, False)]
    states = [[check.state for check in checks] for checks in layers]
    assert ["weaker" in each for each in states] == [True, False]


@pytest.mark.parametrize("missing", LAYERS)
def test_every_missing_layer_has_something_to_do(missing: str) -> None:
    (check,) = of_layers({missing: Layer(False, "why")}, is_required=True)
    assert len(check.advice) > 10


def test_a_layer_that_is_not_known_here_is_told_too() -> None:
    (check,) = of_layers({"moat": Layer(True, "wide")}, is_required=True)
    assert (check.name, check.state) == ("cage moat", "ok")


def test_this_machine_is_ready_in_words_and_as_json() -> None:
    finished = flowcage("doctor")
    assert finished.status == 0
    assert finished.stdout.splitlines()[-1].startswith("verdict:                 ready")
    told = flowcage("doctor", "--json").json
    assert told["verdict"] in ("ready", "ready_with_weaker_isolation")
    assert {"engine", "cage seccomp", "zygote", "store", "agent mock"} <= {
        check["name"] for check in told["checks"]
    }


def doctor_behind(shell: str) -> tuple[int, Any]:
    """Exit status and JSON of the doctor, behind words of a shell."""
    command = f"{shell}; exec {shlex.quote(str(FLOWCAGE))} doctor --json"
    done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=DEADLINE, check=False)
    assert b"Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def test_a_machine_that_starts_no_child_is_not_ready() -> None:
    status, told = doctor_behind("ulimit -n 11")  # what python and trio need, and no pipes beside
    assert (status, told["summary"]) == (1, "not ready: child")
    (child,) = (check for check in told["checks"] if check["name"] == "child")
    assert "Too many open files" in child["value"]
    assert child["advice"]


def test_a_machine_without_user_namespaces_is_ready_with_less() -> None:
    words = ["unshare", "-U", "-r", "bash", "-c"]
    forbid = "echo 0 > /proc/sys/user/max_user_namespaces"
    try:
        subprocess.run([*words, forbid], capture_output=True, timeout=DEADLINE, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no user namespace can be made here, in which others are forbidden")
    command = f"{forbid}; exec {shlex.quote(str(FLOWCAGE))} doctor --json"
    done = subprocess.run([*words, command], capture_output=True, timeout=DEADLINE, check=False)
    told = json.loads(done.stdout)
    assert (done.returncode, told["summary"]) == (0, "ready with weaker isolation: uid")
    assert "CAP_SETUID" in next(check["advice"] for check in told["checks"] if "advice" in check)


def test_a_machine_without_proc_is_not_ready() -> None:
    words = ["unshare", "-U", "-r", "-m", "bash", "-c"]
    hide = "mount -t tmpfs none /proc"
    try:
        subprocess.run([*words, hide], capture_output=True, timeout=DEADLINE, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no mount namespace can be made here, in which /proc is hidden")
    command = f"{hide}; exec {shlex.quote(str(FLOWCAGE))} doctor --json"
    done = subprocess.run([*words, command], capture_output=True, timeout=DEADLINE, check=False)
    assert b"internal error" not in done.stderr
    told = json.loads(done.stdout)
    assert (done.returncode, told["verdict"]) == (1, "not_ready")
