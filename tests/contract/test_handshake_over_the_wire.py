"""initialize: version, limits and isolation, and the order of messages."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from ..child.child_process import ChildProcess, Refusal

MIB = 1 << 20
DEFAULTS = {
    "memoryBytes": 128 * MIB,
    "stackBytes": MIB,
    "stepTimeoutMs": 5000,
    "cpuSeconds": 60,
    "maxSleepMs": 365 * 24 * 60 * 60 * 1000,
    "maxMessageBytes": 8 * MIB,
}
NAMES = [*DEFAULTS, "addressSpaceBytes", "maxPendingRequests", "maxQueuedBytes"]


def refused(child: ChildProcess, method: str, **params: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        child.request(method, **params)
    return caught.value


def test_initialize_tells_who_answers_and_what_holds(child: ChildProcess) -> None:
    result = child.initialize()
    assert result["protocolVersion"] == "1.0"
    for peer in ("server", "engine"):
        assert set(result[peer]) == {"name", "version"}
        assert all(result[peer].values())
    assert result["maxMessageBytes"] == 8 * MIB


def test_limits_have_the_defaults_of_the_contract(child: ChildProcess) -> None:
    limits = child.initialize()["limits"]
    assert sorted(limits) == sorted(NAMES)
    assert {name: limits[name] for name in DEFAULTS} == DEFAULTS
    assert all(type(value) is int and value > 0 for value in limits.values())


def test_limits_that_were_asked_for_are_the_effective_ones(child: ChildProcess) -> None:
    asked = {
        "memoryBytes": 16 * MIB,
        "stackBytes": 256 * 1024,
        "stepTimeoutMs": 1,
        "cpuSeconds": 2,
        "maxSleepMs": 3,
        "maxMessageBytes": 4 * MIB,
        "maxPendingRequests": 5,
        "maxQueuedBytes": 6,
        "addressSpaceBytes": 1 << 40,
    }
    result = child.initialize(**asked)
    assert result["limits"] == asked
    assert result["maxMessageBytes"] == 4 * MIB


@pytest.mark.parametrize("name", NAMES)
def test_a_limit_is_a_positive_integer_or_named_in_the_refusal(child: ChildProcess, name: str) -> None:
    for value in (0, -1, True, 1.5, 1.0, "1", None, [1], 2**70):
        refusal = refused(child, "initialize", protocolVersion="1.0", limits={name: value})
        assert (refusal.code, refusal.kind) == (-32602, "invalid_params")
        assert refusal.data["path"] == f"/limits/{name}"


INVALID: dict[str, dict[str, Any]] = {
    "": {},
    "/protocolVersion": {"protocolVersion": 1},
    "/limits": {"protocolVersion": "1.0", "limits": []},
    "/client": {"protocolVersion": "1.0", "client": "me"},
    "/client/name": {"protocolVersion": "1.0", "client": {"name": 1, "version": "1"}},
    "/isolation": {"protocolVersion": "1.0", "isolation": "perfect"},
}


@pytest.mark.parametrize(("path", "params"), INVALID.items(), ids=INVALID)
def test_what_is_wrong_is_named_by_a_json_pointer(
    child: ChildProcess, path: str, params: dict[str, Any]
) -> None:
    refusal = refused(child, "initialize", **params)
    assert (refusal.code, refusal.data["path"]) == (-32602, path)
    child.initialize()


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("", {}),
        ("/source", {"source": 1}),
        ("/sourceName", {"source": "", "sourceName": None}),
        ("/dialect", {"source": "", "dialect": "coffee"}),
        ("/budget", {"source": "", "budget": 5}),
        ("/budget/spent", {"source": "", "budget": {"total": None, "spent": -1}}),
        ("/budget/total", {"source": "", "budget": {"total": "1", "spent": 0}}),
        ("/budget", {"source": "", "budget": {"total": 1}}),
    ],
)
def test_a_refused_start_changes_nothing(child: ChildProcess, path: str, params: dict[str, Any]) -> None:
    child.initialize()
    refusal = refused(child, "start", **params)
    assert (refusal.code, refusal.data["path"]) == (-32602, path)
    assert child.result_of("export default 1;") == 1


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("", {}),
        ("/id", {"id": 1, "resolution": {"type": "ok", "value": 1}}),
        ("", {"id": "1"}),
        ("/resolution", {"id": "1", "resolution": None}),
        ("/resolution/type", {"id": "1", "resolution": {"type": "maybe"}}),
        ("/resolution", {"id": "1", "resolution": {"type": "ok"}}),
        ("/resolution/message", {"id": "1", "resolution": {"type": "error", "message": 5}}),
        (
            "/resolution/budget/spent",
            {"id": "1", "resolution": {"type": "ok", "value": 1, "budget": {"total": 1, "spent": 0.5}}},
        ),
    ],
)
def test_a_refused_resolve_changes_nothing(child: ChildProcess, path: str, params: dict[str, Any]) -> None:
    child.start("export default await agent('x');")
    child.drain()
    refusal = refused(child, "resolve", **params)
    assert (refusal.code, refusal.data["path"]) == (-32602, path)
    child.resolve("1", "fine")
    assert child.result() == "fine"


@pytest.mark.parametrize("version", ["2.0", "1", "1.1", "", "1.0 "])
def test_another_protocol_version_is_refused_with_those_supported(child: ChildProcess, version: str) -> None:
    refusal = refused(child, "initialize", protocolVersion=version)
    assert refusal.kind == "protocol_version"
    assert refusal.data["supported"] == ["1.0"]
    assert child.initialize()["protocolVersion"] == "1.0"


@pytest.mark.parametrize("level", ["strict", "best_effort", "none", None])
def test_isolation_tells_of_each_layer_whether_it_was_applied(child: ChildProcess, level: str | None) -> None:
    params: dict[str, Any] = {"protocolVersion": "1.0"} | ({"isolation": level} if level else {})
    layers = child.request("initialize", **params)["isolation"]
    assert layers
    for layer in layers.values():
        assert set(layer) == {"applied", "detail"}
        assert isinstance(layer["detail"], str)
        assert layer["detail"]
    applied = {layer["applied"] for layer in layers.values()}
    assert applied <= {True, False}
    if level == "none":
        assert applied == {False}


@pytest.mark.skipif(sys.platform != "linux", reason="strict is the default on Linux")
def test_linux_applies_its_resource_limits_by_default(child: ChildProcess) -> None:
    layers = child.initialize()["isolation"]
    assert [name for name in ("memory", "cpu", "files", "core") if not layers[name]["applied"]] == []


OUT_OF_ORDER = ["start", "poll", "take", "drain", "resolve", "check"]
PARAMS: dict[str, dict[str, Any]] = {
    "initialize": {"protocolVersion": "1.0"},
    "start": {"source": "export default 1;"},
    "check": {"source": "export default 1;"},
    "resolve": {"id": "1", "resolution": {"type": "ok_undefined"}},
}


@pytest.mark.parametrize("method", OUT_OF_ORDER)
def test_nothing_comes_before_initialize(child: ChildProcess, method: str) -> None:
    assert refused(child, method, **PARAMS.get(method, {})).kind == "invalid_state"
    assert child.result_of("export default 1;") == 1


@pytest.mark.parametrize("method", ["initialize", "poll", "take", "drain", "resolve"])
def test_a_run_begins_with_start(child: ChildProcess, method: str) -> None:
    child.initialize()
    assert refused(child, method, **PARAMS.get(method, {})).kind == "invalid_state"
    assert child.result_of("export default 1;") == 1


@pytest.mark.parametrize("method", ["initialize", "start"])
def test_a_run_is_neither_initialized_nor_started_again(child: ChildProcess, method: str) -> None:
    child.start("export default await agent('x');")
    assert refused(child, method, **PARAMS[method]).kind == "invalid_state"
    assert child.drain()["requests"][0]["id"] == "1"


def test_invalid_params_of_a_message_out_of_order_are_an_error_all_the_same(child: ChildProcess) -> None:
    assert refused(child, "start", source=5).kind in ("invalid_params", "invalid_state")
