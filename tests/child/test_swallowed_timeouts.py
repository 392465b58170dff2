"""The step timeout against natives that lose the interruption: the run ends at its deadline all the same."""

from __future__ import annotations

import pytest

from .child_process import ChildProcess, Refused

# Each runs code of the workflow inside something of the engine that drops or replaces what that code threw.
SWALLOWERS = {
    "async function": "(async () => { for (;;); })()",
    "promise executor": "new Promise(() => { for (;;); })",
    "Promise.try": "Promise.try(() => { for (;;); })",
    "Promise.all": "Promise.all({ [Symbol.iterator]() { for (;;); } })",
    "closing an iterator": """try {
        for (const x of { [Symbol.iterator]: () => ({ next: () => ({}), return() { for (;;); } }) }) throw 1;
    } catch {}""",
    "closing the iterator of a Map": """try {
        new Map({ [Symbol.iterator]: () => ({ next: () => ({ value: 1 }), return() { for (;;); } }) });
    } catch {}""",
    "using": "try { using x = { [Symbol.dispose]() { for (;;); } }; throw 1; } catch {}",
}


@pytest.mark.parametrize("swallower", SWALLOWERS.values(), ids=SWALLOWERS)
def test_a_workflow_that_never_stops_losing_the_timeout_is_stopped_by_it(
    child: ChildProcess, swallower: str
) -> None:
    child.initialize(stepTimeoutMs=200, memoryBytes=16 * 1024 * 1024)
    assert child.failure_of(f"for (;;) {{ {swallower} }}").kind == "timeout"


def test_nothing_of_the_workflow_runs_once_the_deadline_has_passed(child: ChildProcess) -> None:
    child.initialize(stepTimeoutMs=200)
    source = "new Promise(() => { for (;;); }); log('later'); agent('later'); export default 1"
    child.start(source)
    with pytest.raises(Refused) as caught:  # at once: nothing was queued that would be handed out first
        child.drain()
    assert caught.value.kind == "timeout"


def test_the_timeout_holds_at_the_end_of_the_stack(child: ChildProcess) -> None:
    child.initialize(stepTimeoutMs=200)
    source = """
    const spin = () => { for (;;) try { new Promise(() => { for (;;); }); } catch {} };
    const dig = () => { try { dig(); } catch { spin(); } };
    dig();
    """
    assert child.failure_of(source).kind == "timeout"


def test_a_heap_that_is_filled_on_purpose_never_gets_to_lose_the_timeout(child: ChildProcess) -> None:
    child.initialize(stepTimeoutMs=20_000, memoryBytes=16 * 1024 * 1024)
    source = """
    let kept = [], size = 2 ** 20;
    while (size > 8) try { for (;;) kept = [kept, 'x'.repeat(size) + size]; } catch { size /= 2; }
    for (;;) try { for (;;); } catch {}
    """
    assert child.failure_of(source).kind == "memory"
