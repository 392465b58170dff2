"""sleep(): the host's clock, asked for by the workflow."""

from __future__ import annotations

from typing import Any

import pytest

from .child_process import ChildProcess

YEAR_MS = 365 * 24 * 60 * 60 * 1000
NOT_A_DURATION = "sleep(ms) requires a finite non-negative number"
TOO_LONG = "sleep(ms) duration exceeds the maximum allowed delay"


def slept(child: ChildProcess, expression: str) -> list[dict[str, Any]]:
    child.start(f"SW.extra.sleep({expression});\nexport default 1;")
    return child.take()


@pytest.mark.parametrize(
    ("asked", "duration"),
    [("0", 0), ("-0", 0), ("12", 12), ("0.001", 1), ("1.5", 2), ("1e10", 10_000_000_000)],
)
def test_sleep_asks_for_its_milliseconds_rounded_up(child: ChildProcess, asked: str, duration: int) -> None:
    (request,) = slept(child, asked)
    assert request == {"type": "sleep", "id": "1", "durationMs": duration}
    assert type(request["durationMs"]) is int


def test_the_longest_sleep_is_a_year_by_default(child: ChildProcess) -> None:
    assert slept(child, str(YEAR_MS))[0]["durationMs"] == YEAR_MS


def test_max_sleep_ms_sets_the_longest_sleep(child: ChildProcess) -> None:
    child.initialize(maxSleepMs=50)
    source = "try { SW.extra.sleep(50.1); } catch (e) { log(e.message); }\nSW.extra.sleep(50);"
    child.start(source + "export default 1;")
    drained = child.drain()
    assert drained["calls"] == [{"type": "log", "values": [TOO_LONG]}]
    assert [request["durationMs"] for request in drained["requests"]] == [50]


@pytest.mark.parametrize("duration", ["-1", "NaN", "Infinity", "-Infinity", "'5'", "", "null", "5n", "[5]"])
def test_what_is_no_duration_is_refused_at_the_call(child: ChildProcess, duration: str) -> None:
    source = f"try {{ SW.extra.sleep({duration}); }} catch (e) {{ log(e.message); }}\nexport default 1;"
    assert child.logs_of(source) == [[NOT_A_DURATION]]


@pytest.mark.parametrize("duration", [str(YEAR_MS + 1), "1e300", f"{YEAR_MS} + 0.5"])
def test_a_sleep_beyond_the_maximum_is_refused_at_the_call(child: ChildProcess, duration: str) -> None:
    source = f"try {{ SW.extra.sleep({duration}); }} catch (e) {{ log(e.message); }}\nexport default 1;"
    assert child.logs_of(source) == [[TOO_LONG]]


def test_a_refused_sleep_takes_no_id(child: ChildProcess) -> None:
    child.start('try { SW.extra.sleep(-1); } catch {}\nagent("x");\nexport default 1;')
    assert [request["id"] for request in child.take()] == ["1"]


def test_an_uncaught_refusal_ends_the_run_with_its_text(child: ChildProcess) -> None:
    failure = child.failure_of("export default () => SW.extra.sleep(-1);")
    assert failure.message == f"workflow module rejected: {NOT_A_DURATION}"
    assert failure.kind == "exception"


def test_a_sleep_ends_with_undefined_when_the_host_says_so(child: ChildProcess) -> None:
    child.start("export default [await SW.extra.sleep(5) === undefined];")
    assert child.drain()["requests"][0]["id"] == "1"
    child.settle("1", {"type": "ok_undefined"})
    assert child.result() == [True]


@pytest.mark.parametrize(
    "statement",
    [
        'import { sleep } from "workflow:extra";',
        'import extra from "workflow:extra"; const { sleep } = extra;',
        'import * as all from "workflow:extra"; const { sleep } = all;',
        'const { sleep } = await import("workflow:extra");',
    ],
)
def test_workflow_extra_exports_the_same_sleep_as_the_global(child: ChildProcess, statement: str) -> None:
    assert child.result_of(f"{statement}\nexport default [sleep === SW.extra.sleep];") == [True]


def test_the_context_holds_the_same_sleep(child: ChildProcess) -> None:
    source = "export default (args, { extra }) => extra.sleep === SW.extra.sleep;"
    assert child.result_of(source) is True
