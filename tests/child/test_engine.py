"""The binding to the engine, in this process: who owns what, and what stops a program."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flowcage.child.engine import capi
from flowcage.child.engine.capi import JSValue
from flowcage.child.engine.context import Context, library
from flowcage.child.engine.errors import Interrupted, JavaScriptError
from flowcage.child.engine.runtime import EXHAUST_INTERRUPT_COUNTER, Runtime
from flowcage.child.engine.watchdog import Watchdog
from flowcage.protocol.limits import Limits

MIB = 1024 * 1024


@pytest.fixture
def context() -> Iterator[Context]:
    """A realm whose every object is gone when it is closed."""
    runtime = Runtime(library(), Limits(memory_bytes=16 * MIB))
    context = Context(runtime)
    yield context
    runtime.watchdog = None
    context.close()
    left = runtime.memory_usage()
    assert (left.obj_count, left.str_count, left.js_func_count) == (0, 0, 0)
    runtime.close()


def evaluate(context: Context, source: str) -> JSValue:
    return context.evaluate(context.compile(source.encode(), "test.js", module=False))


def test_values_made_in_a_scope_end_with_it(context: Context) -> None:
    with context.scope():
        evaluate(context, "({ warm: 'up' })")
    before = context.runtime.memory_usage().obj_count
    for _ in range(100):
        with context.scope():
            context.call(evaluate(context, "(text) => ({ text, more: [1, [2]] })"), context.string("x"))
    assert context.runtime.memory_usage().obj_count == before


def test_a_kept_value_outlives_its_scope(context: Context) -> None:
    with context.scope():
        kept = context.keep(evaluate(context, "(x) => `${x}!`"))
    with context.scope():
        assert context.text(context.call(kept, context.string("still here"))) == "still here!"


def test_a_value_survives_errors_on_the_way_out_of_its_scope(context: Context) -> None:
    def fail_among_values() -> None:
        with context.scope():
            evaluate(context, "({ a: 1 })")
            evaluate(context, "throw new TypeError('boom')")

    with pytest.raises(JavaScriptError):
        fail_among_values()
    with context.scope():
        error = context.take_exception()
        assert context.text(context.get(error, "message")) == "boom"


@pytest.mark.parametrize("text", ["", "\0", "a\0b", "naïve 🐋 \u2028", "x" * MIB])
def test_strings_go_in_and_out_unharmed(context: Context, text: str) -> None:
    with context.scope():
        assert context.text(context.string(text)) == text


def test_a_module_that_is_compiled_and_never_run_leaves_nothing(context: Context) -> None:
    with context.scope():
        context.compile(b"export default () => 1", "unused.js", module=True)


def test_stacks_name_the_source_and_its_lines(context: Context) -> None:
    with context.scope():
        with pytest.raises(JavaScriptError):
            context.evaluate(
                context.compile(b"\nthrow new Error()", "my file.js", module=False, first_line=40)
            )
        assert "my file.js:41:" in context.text(context.get(context.take_exception(), "stack"))


@pytest.mark.parametrize(
    "source",
    ["for (;;);", "for (;;) try { for (;;); } catch {}", "/(a+)+$/.test('a'.repeat(40) + 'b')"],
    ids=["loop", "catching loop", "regular expression"],
)
def test_the_watchdog_stops_what_does_not_stop_by_itself(context: Context, source: str) -> None:
    watchdog = Watchdog(step_timeout_ms=50, cpu_seconds=60)
    context.runtime.watchdog = watchdog
    with context.scope():
        with watchdog.step():
            with pytest.raises(JavaScriptError):
                evaluate(context, source)
            with pytest.raises(Interrupted, match="stepTimeoutMs"):
                watchdog.check()
        context.take_exception()


def test_the_patience_of_the_engine_is_used_up_exactly(context: Context) -> None:
    """After it, the very next branch or call asks the handler, and not one before."""
    asked = []

    def ask(_runtime: int, _opaque: int) -> int:
        asked.append(True)
        return 0

    with context.scope():
        exhauster = evaluate(context, EXHAUST_INTERRUPT_COUNTER.decode())
        idle = evaluate(context, "(() => {})")
        handler = capi.InterruptHandler(ask)
        context.runtime.library.JS_SetInterruptHandler(context.runtime.pointer, handler, None)
        while not asked:  # until the engine counts from its beginning
            context.call(idle)
        asked.clear()
        context.exhaust_interrupt_counter(exhauster)
        assert not asked
        context.call(idle)
        assert asked


def test_a_watchdog_that_has_tripped_stays_tripped(context: Context) -> None:
    watchdog = Watchdog(step_timeout_ms=1, cpu_seconds=60)
    context.runtime.watchdog = watchdog
    with watchdog.step():
        while not watchdog.expired():
            pass
    with watchdog.step(), pytest.raises(Interrupted):
        watchdog.check()


def test_a_promise_is_read_past_what_javascript_redefined(context: Context) -> None:
    with context.scope():
        promise = evaluate(context, "Promise.prototype.then = 1; Promise.resolve('inside')")
        assert context.is_promise(promise)
        assert context.promise_state(promise) == capi.PROMISE_FULFILLED
        assert context.text(context.promise_result(promise)) == "inside"
        assert not context.is_promise(evaluate(context, "({ then() {} })"))


def test_jobs_run_one_at_a_time_until_there_are_none(context: Context) -> None:
    with context.scope():
        evaluate(context, "Promise.resolve().then(() => {}); queueMicrotask(() => { throw 1 })")
        assert [context.runtime.run_job() for _ in range(3)] == [1, -1, 0]
        context.take_exception()


def test_the_heap_ends_where_the_limit_says(context: Context) -> None:
    with context.scope():
        with pytest.raises(JavaScriptError):
            evaluate(context, "'x'.repeat(20 * 1024 * 1024).length")
        error = context.take_exception()
        assert context.text(context.get(error, "message")) == "out of memory"


def test_bytecode_that_is_read_in_another_context_does_the_same(context: Context) -> None:
    script = b"(() => { const words = ['a', /b+/.source]; return `${words} ${(() => 1).toString()}`; })()"
    compiled = context.compile(script, "some.js", module=False)
    bytecode, expected = context.bytecode(compiled), context.text(context.evaluate(compiled))
    runtime = Runtime(library(), Limits())
    other = Context(runtime)
    assert other.text(other.evaluate(other.read_bytecode(bytecode))) == expected == "a,b+ () => 1"
    other.close()
    runtime.close()
