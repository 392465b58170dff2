"""strict, best_effort and none, on a machine where something is missing."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from flowcage.protocol.layers import LAYERS, STRICT_LAYERS
from flowcage.schemas.validate import error_error, result_error

from .caged import Caged, circumstance, ordinary_user
from .child_process import Refused

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the cage is Linux's")

ISOLATION_UNAVAILABLE = -32023
NOT_ASKED = "isolation none was asked for"
# What is missing, by the circumstance that makes it so, and words of the reason.
MISSING = {
    "no_filter": {"seccomp": "the kernel refused the filter: Operation not permitted"},
    "second_thread": {"seccomp": "this process has 2"},
    "strange_machine": {"capabilities": "x86_64 and aarch64 only", "seccomp": "only for x86_64 and aarch64"},
    "no_new_privileges_refused": {"no_new_privs": "Operation not permitted"},
    "no_proc": {"descriptors": "/proc/self/fd", "sealed_code": "/proc/self/maps"},
    "no_exec": {"environment": "1 variables are set that should not be, such as API_KEY"},
}


def in_circumstance(name: str) -> Caged:
    if name in ("no_proc", "no_new_privileges_refused") and os.geteuid() != 0:
        pytest.skip("only root can arrange that")
    return Caged(circumstance(name), env={"API_KEY": "sk-kept"} if name == "no_exec" else {})


def refusal_of(process: Caged) -> Refused:
    with pytest.raises(Refused) as caught:
        process.enter("strict")
    return caught.value


def held_by(result: dict[str, Any]) -> set[str]:
    return {name for name, layer in result["isolation"].items() if layer["applied"]}


@pytest.mark.parametrize("name", MISSING)
def test_strict_names_what_is_missing_why_and_what_to_ask_for_instead(name: str) -> None:
    with in_circumstance(name) as process:
        refusal = refusal_of(process)
        assert (refusal.code, refusal.kind) == (ISOLATION_UNAVAILABLE, "isolation_unavailable")
        assert error_error({"code": refusal.code, "message": refusal.message, "data": refusal.data}) is None
        assert "pass isolation=best_effort (--cage best_effort)" in refusal.message
        # The filter comes last, and only where all else holds.
        named = refusal.data["layers"]
        assert named == sorted(set(MISSING[name]) - ({"seccomp"} if len(MISSING[name]) > 1 else set()))
        for layer in named:
            assert layer in refusal.message
            assert MISSING[name][layer] in refusal.message


@pytest.mark.parametrize("name", MISSING)
def test_a_child_that_refused_takes_no_source(name: str) -> None:
    with in_circumstance(name) as process:
        refusal_of(process)
        with pytest.raises(Refused) as caught:
            process.request("start", source="export default 1")
        assert caught.value.kind == "invalid_state"


@pytest.mark.parametrize("name", MISSING)
def test_best_effort_goes_on_without_and_says_so(name: str) -> None:
    with in_circumstance(name) as process:
        result = process.enter("best_effort")
        assert result_error("initialize", result) is None
        told = result["isolation"]
        assert set(told) == set(LAYERS)
        for layer, reason in MISSING[name].items():
            assert (told[layer]["applied"], reason in told[layer]["detail"]) == (False, True), told[layer]
        outer = name in ("no_filter", "no_new_privileges_refused", "no_exec")
        assert int(process.status()["Seccomp_filters"]) == outer + told["seccomp"]["applied"]
        assert process.result_of("export default 1") == 1


def test_only_what_is_missing_is_missing() -> None:
    for name in ("no_filter", "second_thread"):
        with in_circumstance(name) as process:
            told = process.enter("best_effort")["isolation"]
            missing = {layer for layer in STRICT_LAYERS if not told[layer]["applied"]}
            assert missing == set(MISSING[name])


@pytest.mark.parametrize("name", ["no_filter", "second_thread"])
def test_best_effort_after_a_refusal_tells_what_it_would_have_told_at_once(name: str) -> None:
    with in_circumstance(name) as fresh, in_circumstance(name) as refused:
        refusal_of(refused)
        first, second = fresh.enter("best_effort"), refused.enter("best_effort")
        held = [
            {layer for layer in LAYERS if result["isolation"][layer]["applied"]} for result in (first, second)
        ]
        assert held[0] == held[1]
        assert refused.result_of("export default 1") == 1


def test_best_effort_on_a_whole_machine_is_strict() -> None:
    with Caged(env={}) as strict, Caged(env={}) as effort:
        assert held_by(strict.enter("strict")) == held_by(effort.enter("best_effort"))
        assert effort.status()["Seccomp"] == "2"


def test_strict_is_what_linux_gets_unasked() -> None:
    with Caged(env={}) as process:
        process.request("initialize", protocolVersion="1.0")
        assert process.status()["Seccomp"] == "2"


@pytest.mark.parametrize("user", ["whoever tests", "an ordinary user"])
def test_none_applies_nothing_and_says_so(user: str) -> None:
    prefix = ordinary_user() if user == "an ordinary user" else ()
    with Caged((*prefix, sys.executable, "-I", "-m", "flowcage.child"), env={}) as process:
        process.request_before_initialize()
        before, limits, session = process.status(), process.limits(), os.getsid(process.pid)
        told = process.enter("none")["isolation"]
        after = process.status()
        names = ("Uid", "Gid", "Umask", "Seccomp", "NoNewPrivs", "CapEff", "CapBnd", "SigIgn", "SigBlk")
        assert {name: before[name] for name in names} == {name: after[name] for name in names}
        assert after["Seccomp"] == "0"
        assert (process.limits(), os.getsid(process.pid)) == (limits, session)
        assert set(told) == set(LAYERS)
        assert all(layer == {"applied": False, "detail": NOT_ASKED} for layer in told.values())
        assert process.result_of("export default 1") == 1
