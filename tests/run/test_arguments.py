"""What the public calls are given: a wrong argument is named, in a plain error, before anything is queued."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

import flowcage.asyncio
from flowcage.host import (
    Host,
    Limits,
    MemoryBudget,
    RunOptions,
    TenantLimits,
    WrongEventLoop,
    check_workflow,
    run_workflow,
    run_workflow_blocking,
)

from ..host.children import Launcher
from ..host.hosts import host, in_trio

SOURCE = "export default 1"
CYCLE: list[Any] = []
CYCLE.append(CYCLE)

# Arguments of every call, and the error.
COMMON: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"source": None}, TypeError, "source must be text (str), not NoneType"),
    ({"source": b"1"}, TypeError, "source must be text (str), not bytes; decode it"),
    ({"source": Path("w.js")}, TypeError, "source must be text (str), not PosixPath; read the file"),
    ({"source_name": Path("w.js")}, TypeError, "source_name must be text (str), not PosixPath"),
    ({"args": {"a": {1}}}, TypeError, "args must be JSON: Object of type set"),
    ({"args": object()}, TypeError, "args must be JSON: Object of type object"),
    ({"args": b"{}"}, TypeError, "args must be JSON: Object of type bytes"),
    ({"args": {("a", "b"): 1}}, TypeError, "args must be JSON: keys must be"),
    ({"args": float("nan")}, ValueError, "args must be JSON: Out of range float"),
    ({"args": CYCLE}, ValueError, "args must be JSON: Circular reference"),
    ({"options": {"timeout_seconds": 1}}, TypeError, "options must be a RunOptions, not dict"),
    ({"options": Limits()}, TypeError, "options must be a RunOptions, not Limits"),
]
OF_A_HOST: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"tenant": None}, TypeError, "tenant must be text (str), not NoneType"),
    ({"tenant": 7}, TypeError, "tenant must be text (str), not int"),
    ({"tenant": ""}, ValueError, "a tenant's name has 1 to 256 characters"),
    ({"limits": ["cpuSeconds"]}, TypeError, "limits must be a Limits or a mapping from names to numb"),
    ({"limits": {"cpuSecond": 1}}, ValueError, "there is no limit 'cpuSecond'; did you mean 'cpuSeconds'?"),
    ({"limits": {7: 1}}, ValueError, "there is no limit 7"),
    ({"limits": {"cpuSeconds": 1, "cpu_seconds": 1}}, ValueError, "cpuSeconds and cpu_seconds are the same"),
    ({"limits": {"cpu_seconds": 0}}, ValueError, "cpu_seconds must be a whole number"),
    ({"limits": {"cpuSeconds": "1"}}, ValueError, "cpuSeconds must be a number, not '1'"),
    ({"limits": {"maxAgents": 0}}, ValueError, "maxAgents must be at least 1, not 0"),
    ({"limits": Limits(cpu_seconds=0)}, ValueError, "cpu_seconds must be a whole number"),
]  # fmt: skip
HANDLERS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"handlers": print}, TypeError, "handlers must be a Handlers, not builtin_function_or_method"),
]
OPTIONS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"agent": "echo"}, TypeError, "agent must be callable, not str"),
    ({"workflow": "x"}, TypeError, "workflow must be callable, not str"),
    ({"sandbox_exec": 1}, TypeError, "sandbox_exec must be callable, not int"),
    ({"listener": []}, TypeError, "listener must be callable, not list"),
    ({"launcher": None}, TypeError, "launcher.launch must be callable, not NoneType"),
    ({"limits": {"cpuSeconds": 1}}, TypeError, "limits must be a Limits, not dict"),
    ({"dialect": "modul"}, ValueError, "one of auto, module, script, not 'modul'; did you mean 'module'"),
    ({"isolation": "Strict"}, ValueError, "isolation must be one of strict, best_effort, none, not 'Strict'"),
    ({"timeout_seconds": "5"}, ValueError, "timeout_seconds must be finite and above 0, not '5'"),
    ({"timeout_seconds": None}, ValueError, "timeout_seconds must be finite and above 0, not None"),
    ({"max_agents": 1.5}, ValueError, "max_agents must be at least 1, not 1.5"),
]  # fmt: skip
HOSTS: list[tuple[dict[str, Any], str]] = [
    ({"tenants": {"acme": {"max_runs": 1}}}, "tenants['acme'] must be a TenantLimits, not dict"),
    ({"tenants": [TenantLimits()]}, "tenants must be a Mapping, not list"),
    ({"default": {"max_runs": 1}}, "default must be a TenantLimits, not dict"),
    ({"memory": 1}, "memory must be a MemoryBudget, not int"),
    ({"options": Limits()}, "options must be a RunOptions, not Limits"),
    ({"launcher": Launcher()}, "launcher must be callable, not Launcher"),
]


def given(call: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """Call with these arguments, a right source among them unless they have another."""
    others = {"source": SOURCE, **arguments}
    return call(others.pop("source"), **others)


def names(cases: list[Any]) -> list[str]:
    return [str(case[-1])[:40] for case in cases]


@contextmanager
def refusing(kind: type[Exception], message: str) -> Iterator[None]:
    """The very type, plain: neither a group nor a `RunError`."""
    with pytest.raises(kind) as caught:
        yield
    assert type(caught.value) is kind
    assert message in str(caught.value)


@pytest.mark.parametrize("case", COMMON, ids=names(COMMON))
def test_a_single_run_names_the_argument_that_is_wrong(case: tuple[dict[str, Any], Any, str]) -> None:
    arguments, kind, message = case
    with refusing(kind, message):
        given(run_workflow_blocking, arguments)

    async def run() -> None:
        with refusing(kind, message):
            await given(run_workflow, arguments)

    trio.run(run)


@in_trio
async def test_a_check_names_the_argument_that_is_wrong() -> None:
    with refusing(TypeError, "source must be text"):
        await check_workflow(None)  # type: ignore[arg-type]
    with refusing(ValueError, "dialect must be one of"):
        await check_workflow(SOURCE, dialect="js")  # type: ignore[arg-type]


@in_trio
async def test_a_host_names_the_argument_that_is_wrong_and_queues_nothing() -> None:
    async with host() as made:
        for arguments, kind, message in COMMON + OF_A_HOST + HANDLERS:
            with refusing(kind, message):
                await given(made.run, arguments)
        for arguments, kind, message in COMMON + OF_A_HOST:
            with refusing(kind, message):
                async with given(made.open_run, arguments):
                    pytest.fail("it was opened")
        tally = made.statistics().scheduler.tally
        assert (tally.admitted, tally.running, tally.queued) == (0, 0, 0)
        assert made.tenants() == ()


@pytest.mark.parametrize("case", OPTIONS, ids=names(OPTIONS))
def test_options_name_what_is_wrong_when_they_are_made(case: tuple[dict[str, Any], Any, str]) -> None:
    arguments, kind, message = case
    with refusing(kind, message):
        RunOptions(**arguments)


@pytest.mark.parametrize("case", HOSTS, ids=names(HOSTS))
def test_a_host_names_what_is_wrong_when_it_is_made(case: tuple[dict[str, Any], str]) -> None:
    arguments, message = case
    with refusing(TypeError, message):
        Host(**arguments)


@in_trio
async def test_limits_of_one_run_come_in_either_spelling_or_as_limits() -> None:
    async with host() as made:
        for limits, found in (
            ({"cpuSeconds": 7}, 7),
            ({"cpu_seconds": 8}, 8),
            ({"cpu_seconds": 9, "maxAgents": 2, "timeout_seconds": 30}, 9),
            (Limits(cpu_seconds=10), 10),
            (Limits(cpu_seconds=11)._asdict(), 11),
            (Limits(cpu_seconds=12).to_wire(), 12),
        ):
            outcome = await made.run(SOURCE, limits=limits)
            assert outcome.report.limits["cpuSeconds"] == found


def test_args_of_every_form_that_json_has_are_taken() -> None:
    for args in (None, True, 1, 1.5, "", "\ud800", [], {}, [1, [None]], {"a": {"b": [0]}}):
        assert run_workflow_blocking("export default args", args=args).result == args


def test_under_asyncio_the_error_says_how_it_is_done() -> None:
    async def main() -> None:
        for call in (run_workflow, check_workflow):
            with pytest.raises(WrongEventLoop, match=r"needs trio.*from flowcage\.asyncio") as caught:
                await call(SOURCE)
            assert isinstance(caught.value, RuntimeError)
        with pytest.raises(WrongEventLoop, match=r"async with Host\(\) needs trio.*from flowcage\.asyncio"):
            async with Host():
                pytest.fail("it was entered")
        with pytest.raises(
            WrongEventLoop, match=r"would hold up this asyncio event loop.*of flowcage\.asyncio"
        ):
            run_workflow_blocking(SOURCE)
        assert (await flowcage.asyncio.run_workflow(SOURCE)).result == 1  # what it says works

    asyncio.run(main())


@in_trio
async def test_the_blocking_call_in_trio_says_what_to_await() -> None:
    with pytest.raises(WrongEventLoop, match=r"would hold up this trio event loop: await run_workflow"):
        run_workflow_blocking(SOURCE)
    assert (await trio.to_thread.run_sync(run_workflow_blocking, SOURCE)).result == 1


def test_without_any_event_loop_the_error_names_trio() -> None:
    with pytest.raises(WrongEventLoop, match=r"call it in trio\.run"):
        run_workflow(SOURCE).send(None)


def test_a_budget_of_memory_is_taken() -> None:
    Host(memory=MemoryBudget(), default=TenantLimits(), tenants={"acme": TenantLimits()})
