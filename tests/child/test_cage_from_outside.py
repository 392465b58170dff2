"""What /proc says of a child in the cage: for whoever started the tests, and for an ordinary user."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

import pytest

from flowcage.protocol.layers import LAYERS, STRICT_LAYERS
from flowcage.schemas.validate import result_error

from .caged import Caged, Prepared, ordinary_user
from .child_process import COMMAND

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")

IS_ROOT = os.geteuid() == 0 if sys.platform == "linux" else False
needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root may look")


USERS = ["whoever tests", "an ordinary user"]


def prefix_of(user: str) -> tuple[str, ...]:
    return ordinary_user() if user == "an ordinary user" else ()


@pytest.fixture(params=USERS)
def executed(request: pytest.FixtureRequest) -> Iterator[Caged]:
    """A child that nobody has spoken to, in a session of its own."""
    with Caged((*prefix_of(request.param), *COMMAND), env={}) as process:
        yield process


@pytest.fixture(params=[(user, way) for user in USERS for way in ("executed", "prepared")], ids=", ".join)
def caged(request: pytest.FixtureRequest) -> Iterator[Caged]:
    """A child that can enter its cage."""
    user, way = request.param
    prefix = prefix_of(user)
    with Prepared(prefix) if way == "prepared" else Caged((*prefix, *COMMAND), env={}) as process:
        yield process


def signals(mask: str) -> set[int]:
    bits = int(mask, 16)
    return {number for number in range(1, 65) if bits >> (number - 1) & 1}


def test_the_child_is_one_thread_under_a_filter_that_gains_nothing(caged: Caged) -> None:
    caged.enter()
    status = caged.status()
    wanted = {"Seccomp": "2", "Seccomp_filters": "1", "NoNewPrivs": "1", "Threads": "1"}
    assert {name: status[name] for name in wanted} == wanted


def test_the_child_has_no_capability(caged: Caged) -> None:
    caged.enter()
    status = caged.status()
    names = ("CapInh", "CapPrm", "CapEff", "CapAmb")
    assert {name: int(status[name], 16) for name in names} == dict.fromkeys(names, 0)


def test_roots_child_is_a_user_of_its_own_and_no_program_can_give_it_more() -> None:
    if not IS_ROOT:
        pytest.skip("only root has a user to give up")
    with Caged(extra_groups=[4, 12345]) as one, Caged() as other:
        one.enter()
        other.enter()
        for process in (one, other):
            status = process.status()
            uids, gids = set(status["Uid"].split()), set(status["Gid"].split())
            assert len(uids) == len(gids) == 1
            assert int(uids.pop()) >= 65534
            assert int(gids.pop()) >= 65534
            assert status["Groups"] == ""
            assert int(status["CapBnd"], 16) == 0
        assert one.status()["Uid"] != other.status()["Uid"]


def test_an_ordinary_users_child_keeps_its_user(executed: Caged) -> None:
    executed.request_before_initialize()
    before = executed.status()["Uid"]
    layer = executed.enter()["isolation"]["uid"]
    assert layer["applied"] == (before.split()[0] == "0")
    assert (executed.status()["Uid"] == before) == (not layer["applied"])


def test_signals_are_as_the_kernel_has_them_but_for_writes_that_fail(caged: Caged) -> None:
    caged.enter()
    status = caged.status()
    # The C library keeps 32 and 33 for itself, and nobody can set them.
    ignored = signals(status["SigIgn"]) - {32, 33}
    assert {signal.SIGPIPE} <= ignored <= {signal.SIGPIPE, signal.SIGXFSZ}
    assert signals(status["SigBlk"]) == set()
    assert signals(status["SigCgt"]) == set()


def test_an_executed_child_has_a_session_of_its_own(executed: Caged) -> None:
    executed.enter()
    assert os.getsid(executed.pid) == os.getpgid(executed.pid) == executed.pid
    assert os.getsid(0) != executed.pid


def test_the_child_has_a_group_a_mask_and_a_place_of_its_own(caged: Caged) -> None:
    caged.enter()
    assert os.getpgid(caged.pid) == caged.pid
    assert os.getsid(caged.pid) != os.getsid(0)
    assert os.getpriority(os.PRIO_PROCESS, caged.pid) == min(os.getpriority(os.PRIO_PROCESS, 0) + 5, 19)
    assert caged.status()["Umask"] == "0077"


@needs_root
def test_the_child_works_in_the_root_folder_with_six_descriptors() -> None:
    with Caged() as process:
        process.enter()
        assert os.readlink(f"/proc/{process.pid}/cwd") == "/"
        assert sorted(os.listdir(f"/proc/{process.pid}/fd"), key=int) == ["0", "1", "2", "3", "4", "5"]


def test_a_machine_without_memory_ends_the_child_first(caged: Caged) -> None:
    caged.enter()
    assert caged.proc("oom_score_adj").strip() == "1000"


@needs_root
def test_others_of_the_same_user_cannot_look_into_the_child() -> None:
    with Caged((*ordinary_user(), *COMMAND), env={}) as process:
        process.request_before_initialize()
        owner = os.stat(f"/proc/{process.pid}/environ").st_uid
        process.enter()
        assert (owner, os.stat(f"/proc/{process.pid}/environ").st_uid) == (12345, 0)


def test_the_resource_limits_are_those_told(caged: Caged) -> None:
    told = caged.enter(limits={"cpuSeconds": 9})["limits"]
    limits = caged.limits()
    nothing = {
        "Max file size",
        "Max core file size",
        "Max processes",
        "Max open files",
        "Max locked memory",
        "Max pending signals",
        "Max msgqueue size",
    }
    assert {name: limits[name] for name in nothing} == dict.fromkeys(nothing, ("0", "0"))
    assert limits["Max address space"] == (str(told["addressSpaceBytes"]),) * 2
    soft, hard = map(int, limits["Max cpu time"])
    # The start has used some; with the hard limit a second later, the soft one's SIGXCPU tells the cause.
    assert hard == soft + 1
    assert 9 < soft <= 9 + 2


def test_every_layer_is_told_and_the_strict_ones_hold(caged: Caged) -> None:
    result = caged.enter()
    assert result_error("initialize", result) is None
    assert set(result["isolation"]) == set(LAYERS)
    missing = {name for name, layer in result["isolation"].items() if not layer["applied"]}
    assert missing & set(STRICT_LAYERS) == set()
    assert all(layer["detail"] for layer in result["isolation"].values())


@needs_root
def test_namespaces_that_are_told_are_not_the_hosts(caged: Caged) -> None:
    told = caged.enter()["isolation"]["namespaces"]
    kinds = ("net", "ipc", "uts", "mnt", "cgroup")
    own = {kind: os.readlink(f"/proc/{caged.pid}/ns/{kind}") for kind in kinds}
    shared = {kind for kind in kinds if own[kind] == os.readlink(f"/proc/self/ns/{kind}")}
    assert shared == (set() if told["applied"] else set(kinds))


def test_a_workflow_runs_in_the_cage(caged: Caged) -> None:
    caged.enter()
    assert caged.result_of("export default [1, 2, 3].map(n => n * 2)") == [2, 4, 6]
