"""A full heap: the run ends with `memory`, wherever in the engine it was, and the child serves on."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import pytest

from flowcage.child.engine import capi
from flowcage.child.engine.context import Context, library
from flowcage.child.engine.errors import EngineUnavailable, JavaScriptError
from flowcage.child.engine.heap import Heap
from flowcage.child.engine.runtime import Runtime
from flowcage.protocol.limits import Limits

from .child_process import ChildProcess, Refused

MIB = 1 << 20
HOG = "const a = []; for (;;) a.push(new Array(10000).fill(0));"

# By the size of the heap, what the engine made of the request that failed, before no request could fail.
AT_THE_EDGE = {
    "garbage is collected while a property is added": (
        13 * MIB,
        "const o = {}; for (let i = 0; ; i++) o['k' + i] = i;",
    ),
    "the same, another size": (13_390_576, "const o = {}; for (let i = 0; ; i++) o['k' + i] = i;"),
    "accessors": (
        5 * MIB,
        "const o = {}; for (let i = 0; ; i++) Object.defineProperty(o, 'k' + i, { get() {} });",
    ),
    "caught": (3 * MIB, "for (;;) try { const a = []; for (;;) a.push({ a }); } catch {}"),
    "caught by parallel": (8 * MIB, f"return await parallel([() => {{ {HOG} }}]);"),
    "caught by a promise": (4 * MIB, f"return await (async () => {{ {HOG} }})().catch(() => 1);"),
    "lost in a job": (4 * MIB, f"return await new Promise(() => Promise.resolve().then(() => {{ {HOG} }}));"),
    "one native": (2 * MIB, "return 'x'.repeat(2e6).split('');"),
    "one native, one block": (2 * MIB, "return 'x'.repeat(2e7);"),
    "JSON": (3 * MIB, "return JSON.parse('[' + '[],'.repeat(3e5) + '0]');"),
    "regular expressions": (
        4 * MIB,
        "const a = []; for (let i = 0; ; i++) a.push(new RegExp('a{1,9}' + i));",
    ),
    "classes": (6 * MIB, "const a = []; for (;;) a.push(class { #x = 1; });"),
    "the default limit": (128 * MIB, HOG),
    "more than the default": (200 * MIB, HOG),
}


@pytest.mark.parametrize(("memory", "source"), AT_THE_EDGE.values(), ids=AT_THE_EDGE)
def test_a_full_heap_is_told_as_memory(child: ChildProcess, memory: int, source: str) -> None:
    child.initialize(memoryBytes=memory, stepTimeoutMs=15_000)
    failure = child.failure_of(source, dialect="script")
    assert (failure.kind, failure.data["name"]) == ("memory", "InternalError")
    assert f"memoryBytes {memory}" in failure.message


@pytest.mark.parametrize("rest", ["", "agent('x'); await SW.extra.sleep(1); "])
def test_a_null_that_parallel_has_swallowed_is_a_full_heap_where_one_was_that_full(
    child: ChildProcess, rest: str
) -> None:
    """Without memory for an error the engine throws null; one native can fill it between two checks."""
    child.initialize()
    source = "'x'.repeat(100 * 2 ** 20).length; throw null;"
    failure = child.failure_of(f"await parallel([() => {{ {source} }}]); {rest}return 1", dialect="script")
    assert failure.kind == "memory"


@pytest.mark.parametrize("size", range(20))
def test_a_heap_that_is_filled_inside_parallel_never_completes(child: ChildProcess, size: int) -> None:
    child.initialize(memoryBytes=8 * MIB + 4567 * size, stepTimeoutMs=15_000)
    source = f"const r = await parallel([() => {{ {HOG} }}]);\nexport default r;"
    assert child.failure_of(source).kind == "memory"


COMPILED = {
    "functions": "export default [" + "()=>0," * 90_000 + "1].length",
    "strings": "export default [" + ",".join(f'"s{n}"' for n in range(100_000)) + "].length",
    "objects": "export default [" + "{a:1}," * 200_000 + "1].length",
    "classes": "".join(f"class C{n} {{ m() {{}} }}" for n in range(20_000)) + "export default 1",
    "regular expressions": "export default [" + ",".join(f"/a{n}+/" for n in range(50_000)) + "].length",
    "hungry regular expressions": "export default [" + r"/\p{RGI_Emoji}/v," * 1_500 + "1].length",
}


@pytest.mark.parametrize("megabytes", [1.5, 2.7, 4.1])
@pytest.mark.parametrize("source", COMPILED.values(), ids=COMPILED)
def test_a_source_that_fills_the_heap_is_no_syntax_error(
    child: ChildProcess, source: str, megabytes: float
) -> None:
    child.initialize(memoryBytes=int(megabytes * MIB), stepTimeoutMs=15_000)
    with pytest.raises(Refused) as caught:
        child.start(source)
    assert caught.value.kind == "memory"
    assert child.failure().kind == "memory"


@pytest.mark.parametrize("last", ["start", "run"])
def test_a_check_that_fills_the_heap_leaves_no_room_for_another(child: ChildProcess, last: str) -> None:
    child.initialize(memoryBytes=2 * MIB, stepTimeoutMs=15_000)
    for method in ("check", "check", last):
        with pytest.raises(Refused) as caught:
            child.request(method, source=COMPILED["functions"] if method == "check" else "return 1")
        assert caught.value.kind == "memory"


def test_what_was_queued_comes_first_and_the_line_is_told(child: ChildProcess) -> None:
    child.initialize(memoryBytes=8 * MIB, stepTimeoutMs=15_000)
    child.start(f"log('before'); agent('x');\nfunction hog() {{\n  {HOG}\n}}\nhog();")
    drained = child.drain()
    assert [call["values"] for call in drained["calls"]] == [["before"]]
    assert [request["prompt"] for request in drained["requests"]] == ["x"]
    assert drained["more"]
    failure = child.failure()
    assert "hog (workflow.js:3:" in failure.data["stack"]
    child.resolve("1", "an answer that nobody waits for")
    for method in ("poll", "take", "drain"):
        with pytest.raises(Refused) as caught:
            child.request(method)
        assert caught.value.data == failure.data


def test_an_answer_that_fills_the_heap_ends_the_run(child: ChildProcess) -> None:
    child.initialize(memoryBytes=4 * MIB, stepTimeoutMs=15_000)
    child.start("return (await agent('x')).length;")
    child.drain()
    child.resolve("1", ["a small value"] * 200_000)
    assert child.failure().kind == "memory"


def test_messages_that_came_with_the_one_that_filled_the_heap_are_answered(child: ChildProcess) -> None:
    child.initialize(memoryBytes=4 * MIB, stepTimeoutMs=15_000)
    child.start(HOG)
    methods = ["drain", "poll", "nonsense", "drain", "shutdown"]
    child.send(
        b"".join(
            b'{"jsonrpc":"2.0","id":"%d","method":"%s"}\n' % (n, m.encode()) for n, m in enumerate(methods)
        )
    )
    replies = [child.next_reply() for _ in methods]
    assert [reply["id"] for reply in replies] == ["0", "1", "2", "3", "4"]
    kinds = [reply.get("error", {}).get("data", {}).get("kind") for reply in replies]
    assert kinds == ["memory", "memory", "method_not_found", "memory", None]
    child.expect_exit()


BROKEN = """
from flowcage.child.sandbox.realm import Realm
def abandon(realm):
    raise MemoryError
Realm.abandon = abandon
from flowcage.child.__main__ import main
main()
"""


def test_the_engine_does_not_go_on_where_even_the_end_of_the_run_fails() -> None:
    with ChildProcess((sys.executable, "-I", "-c", BROKEN)) as child:
        child.initialize(memoryBytes=8 * MIB, stepTimeoutMs=15_000)
        child.start(HOG)
        child.send_request("drain")
        assert child.program.read_line() is None
        assert child.program.wait() == 70
        assert "internal error" in child.program.how_it_ended()
        child.over()


# Of a heap of so many megabytes, the part that is in use when the workflow itself throws null.
@pytest.mark.parametrize(("memory", "part"), [(8, 0.5), (8, 0.97), (128, 0.45), (128, 0.6), (128, 0.95)])
def test_a_null_of_the_workflows_own_is_no_memory_failure(
    child: ChildProcess, memory: int, part: float
) -> None:
    child.initialize(memoryBytes=memory * MIB, stepTimeoutMs=15_000)
    count = int(memory * MIB * part - MIB) // 16_100  # a MiB is the realm's
    fill = f"const a = []; for (let i = 0; i < {count}; i++) a.push('x'.repeat(16_000));"
    source = f"{fill}\nconst r = await parallel([() => {{ throw null; }}]);\nreturn [r, a.length];"
    assert child.result_of(source, dialect="script") == [[None], count]


def test_the_heap_fits_the_address_space(child: ChildProcess) -> None:
    told = child.initialize(memoryBytes=1 << 30, addressSpaceBytes=300 * MIB)["limits"]
    assert told["memoryBytes"] < told["addressSpaceBytes"] == 300 * MIB
    assert child.failure_of(HOG).kind == "memory"


def test_without_anybody_to_carry_on_a_request_fails_and_that_is_remembered() -> None:
    runtime = Runtime(library(), Limits(memory_bytes=4 * MIB))
    context = Context(runtime)
    with context.scope():
        assert runtime.heap.is_watched
        with pytest.raises(JavaScriptError):
            context.evaluate(context.compile(b"'x'.repeat(2e7)", "test.js", module=False))
        context.take_exception()
        assert runtime.heap.has_refused
    context.close()
    runtime.close()


def test_a_heap_is_watched_before_it_is_full_and_a_compiler_that_may_fill_it_while_it_works() -> None:
    runtime = Runtime(library(), Limits(memory_bytes=128 * MIB))
    context, heap = Context(runtime), runtime.heap
    grow = b"globalThis.kept ??= []; for (let i = 0; i < 200; i++) kept.push(new Array(10000).fill(0))"
    with context.scope():
        assert heap.is_room_scarce(100 * MIB)
        assert not heap.is_room_scarce(10 * MIB)
        with heap.watched():
            assert heap.is_watched
        assert not heap.is_watched
        seen = []
        while heap.size < 100 * MIB:
            context.evaluate(context.compile(grow, "test.js", module=False))
            seen.append((heap.size, heap.is_watched))
    assert not any(watched for size, watched in seen if size < 60 * MIB)
    assert all(watched for size, watched in seen if size > 97 * MIB)
    context.close()
    runtime.close()


class OtherEngine:
    """One that keeps its counters elsewhere."""

    def JS_SetMemoryLimit(self, *_: Any) -> None:
        """Kept elsewhere, too."""

    def JS_ComputeMemoryUsage(self, _runtime: int, usage: Any) -> None:
        usage._obj.malloc_count = 1


def test_an_engine_with_another_layout_is_refused() -> None:
    memory = capi.MemoryUsage()  # of its size, and all zero
    with pytest.raises(EngineUnavailable, match="has its allocator at another place"):
        Heap(OtherEngine(), ctypes.addressof(memory))
