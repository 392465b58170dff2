"""A workflow may spoil every intrinsic it can reach: what it says on the wire stays the same."""

from __future__ import annotations

from typing import Any

import pytest

from .child_process import ChildProcess

# Uses nothing that a pollution below breaks for the author's own code.
BODY = """
export default async () => {
    phase("first", { icon: "x" });
    log("start", { list: [1, [2]], text: "t" });
    const many = await parallel([() => agent("a", { label: "l" }), () => agent("b"), () => { throw "c"; }]);
    const staged = await pipeline([1, 2], (n) => n + 1, (n) => agent(`n${n}`, { phase: null }));
    await SW.extra.sleep(1.5);
    const child = await workflow({ scriptPath: "x.js" }, { deep: { list: [1] } });
    const ran = await SW.sandbox.exec("p", { command: "c", args: ["x"], env: { A: "b" } });
    let failed = "";
    try { await agent("fails"); } catch (e) { failed = e.message; }
    log(budget.spent(), budget.remaining());
    return { many, staged, child, ran, failed, given: args };
};
"""


def transcript(child: ChildProcess, source: str) -> list[Any]:
    """Everything the run says, each request answered with its own id."""
    child.start(source, args={"k": [1, {"v": None}]}, budget={"total": 10, "spent": 3})
    said: list[Any] = []
    for _ in range(50):
        drained = child.drain()
        said.append(drained)
        if drained["state"] == "complete":
            return without_stacks(said)
        for request in drained["requests"]:
            answer: dict[str, Any] = {"type": "ok", "value": f"answer {request['id']}"}
            if request.get("prompt") == "fails":
                answer = {"type": "error", "message": "refused"}
            child.settle(request["id"], answer)
    raise AssertionError(f"no end: {said}")


@pytest.fixture(scope="module")
def expected() -> list[Any]:
    """What a clean run says."""
    with ChildProcess() as clean:
        return transcript(clean, BODY)


def on(prototype: str, *names: str, value: str = '() => { throw new Error("polluted"); }') -> str:
    return "".join(
        f'Object.defineProperty({prototype}, "{name}",'
        f" {{ __proto__: null, value: {value}, configurable: true, writable: true }});"
        for name in names
    )


def accessor(prototype: str, name: str) -> str:
    return (
        f'{{ const held = new Map(); Object.defineProperty({prototype}, "{name}", {{ configurable: true,'
        f' get() {{ return held.has(this) ? "stolen" : undefined; }}, set(v) {{ held.set(this, v); }} }}); }}'
    )


ARRAY_METHODS = [
    "map",
    "forEach",
    "filter",
    "push",
    "pop",
    "shift",
    "unshift",
    "splice",
    "slice",
    "join",
    "concat",
    "reverse",
    "sort",
    "indexOf",
    "includes",
    "keys",
    "values",
    "entries",
    "reduce",
    "every",
    "some",
    "find",
    "fill",
    "flat",
    "toString",
]
STRING_METHODS = [
    "slice",
    "substring",
    "indexOf",
    "split",
    "replace",
    "includes",
    "startsWith",
    "at",
    "charCodeAt",
    "trim",
    "toString",
    "valueOf",
]
MEMBERS = [
    "undefined",
    "value",
    "get",
    "set",
    "enumerable",
    "configurable",
    "writable",
    "type",
    "id",
    "prompt",
    "options",
    "phase",
    "label",
    "schema",
    "key",
    "text",
    "kind",
    "message",
    "name",
    "stack",
    "head",
    "tail",
    "items",
    "resolve",
    "reject",
    "next",
    "above",
    "command",
    "args",
    "cwd",
    "env",
    "stdin",
    "scriptPath",
    "default",
    "total",
    "spent",
    "ok",
    "result",
]

POLLUTIONS = {
    "Array.prototype": on("Array.prototype", *ARRAY_METHODS),
    "String.prototype": on("String.prototype", *STRING_METHODS),
    "RegExp.prototype": on("RegExp.prototype", "exec", "test"),
    "Number.prototype": on("Number.prototype", "toString", "valueOf"),
    "Function.prototype": on("Object.getPrototypeOf(() => 1)", "call", "apply", "bind", "toString"),
    "Promise.prototype": on("Promise.prototype", "then", "catch", "finally"),
    "Promise": "Promise.resolve = Promise.all = Promise.allSettled = Promise.race = () => 1;",
    "Promise.prototype.then that never calls": on("Promise.prototype", "then", value="() => {}"),
    "Error.prototype": on("Error.prototype", "toString", "message", "name", "stack", value='"evil"'),
    "Symbol.iterator": "delete Array.prototype[Symbol.iterator]; delete String.prototype[Symbol.iterator];",
    "Map and Set": on("Map.prototype", "get", "set", "has", "delete")
    + on("Set.prototype", "add", "has", "delete"),
    "JSON.stringify": 'JSON.stringify = () => "\\"forged\\""; JSON.parse = () => ({ forged: true });',
    "JSON deleted": "delete JSON.stringify; delete JSON.parse; delete globalThis.JSON;",
    "Object": "for (const n of Object.getOwnPropertyNames(Object)) try { Object[n] = () => 1; } catch {}",
    "Reflect": "for (const n of Object.getOwnPropertyNames(Reflect)) try { Reflect[n] = () => 1; } catch {}",
    "Math and Number": "Math.ceil = Math.max = () => 99; Number.isFinite = () => false;",
    "Array.isArray": "Array.isArray = () => false;",
    "Error deleted": "delete globalThis.Error; delete globalThis.TypeError; delete globalThis.RangeError;",
    "Promise deleted": "delete globalThis.Promise;",
    "every global replaced": "for (const n of Object.getOwnPropertyNames(globalThis))"
    " if (n !== 'undefined') try { globalThis[n] = null; } catch {}",
    "Promise species": on("Promise", "prototype2")
    + "try { Object.defineProperty(Promise, Symbol.species, { get() { return class {}; } }); } catch {}",
    "Promise constructor": "try { Promise.prototype.constructor = class {}; } catch {}",
    "Array species": "Object.defineProperty(Array, Symbol.species, { get() { throw new Error('s'); } });",
    "Object.prototype.toJSON": on("Object.prototype", "toJSON", value='() => "forged"'),
    "Object.prototype.toJSON for good": 'Object.defineProperty(Object.prototype, "toJSON",'
    ' { value: () => "forged" });',
    "Array.prototype.toJSON": on("Array.prototype", "toJSON", value='() => "forged"'),
    "Object.prototype.toJSON getter": 'Object.defineProperty(Object.prototype, "toJSON",'
    " { get() { throw 1; } });",
    "Object.prototype.toString": on("Object.prototype", "toString", "valueOf", "hasOwnProperty"),
    "setters of Array.prototype": "".join(accessor("Array.prototype", str(i)) for i in range(4)),
    "setters of Object.prototype": "".join(accessor("Object.prototype", str(i)) for i in range(9)),
    "values on Object.prototype": on("Object.prototype", *MEMBERS, value='"evil"'),
    "functions on Object.prototype": on("Object.prototype", *MEMBERS),
    "Symbol.toPrimitive": "Object.prototype[Symbol.toPrimitive] = () => 'evil';",
    "Object.prototype frozen": "Object.freeze(Object.prototype); Object.freeze(Array.prototype);",
    "prototypes cut": "delete Object.prototype.__proto__; Object.setPrototypeOf(Array.prototype, null);",
    "stack traces": "Error.stackTraceLimit = 0; Error.prepareStackTrace = () => { throw 1; };",
}


@pytest.mark.parametrize("pollution", POLLUTIONS.values(), ids=POLLUTIONS)
def test_a_polluted_run_says_what_a_clean_one_says(
    child: ChildProcess, expected: list[Any], pollution: str
) -> None:
    assert transcript(child, pollution + BODY) == expected


@pytest.mark.parametrize("pollution", POLLUTIONS.values(), ids=POLLUTIONS)
def test_pollution_between_request_and_answer_changes_nothing_either(
    child: ChildProcess, expected: list[Any], pollution: str
) -> None:
    head, tail = BODY.split("    await SW.extra.sleep", 1)
    polluted = f"{head}{pollution}\n    await SW.extra.sleep{tail}"
    assert transcript(child, polluted) == expected


def without_stacks(said: list[Any]) -> list[Any]:
    """The pollution stands before the body, so columns of the author's file differ."""
    for drained in said:
        for told in drained.get("diagnostics", []):
            if "error" in told:
                told["error"].pop("stack", None)
    return said


@pytest.mark.parametrize("then", ["(resolve) => resolve('stolen')", "() => {}", "() => { throw 1; }", "5"])
def test_a_then_on_object_prototype_does_not_speak_for_a_value_default(
    child: ChildProcess, then: str
) -> None:
    assert child.result_of(f"Object.prototype.then = {then};\nexport default {{ a: 1 }};") == {"a": 1}


@pytest.mark.parametrize(
    "pollution",
    [
        on("Promise.prototype", "then"),
        "delete globalThis.Error;",
        "Error = TypeError = null;",
        on("Object.prototype", "toJSON", value='() => "forged"'),
        on("Object.prototype", *MEMBERS, value='"evil"'),
        on("Array.prototype", *ARRAY_METHODS),
        on("String.prototype", *STRING_METHODS),
    ],
)
def test_a_polluted_failure_still_tells_its_name_message_and_place(
    child: ChildProcess, pollution: str
) -> None:
    child.start(f'{pollution}\nexport default () => agent("x");', sourceName="p.js")
    child.drain()
    child.settle("1", {"type": "error", "message": "from the host"})
    failure = child.failure()
    assert (failure.kind, failure.message) == ("exception", "workflow module rejected: from the host")
    assert failure.data["message"] == "from the host"


def test_own_tojson_is_still_honoured_under_pollution(child: ChildProcess) -> None:
    source = """
        Object.prototype.toJSON = () => "forged";
        class Shown { toJSON(key) { return [key, 1]; } }
        log({ a: new Shown() });
        export default { b: { toJSON: () => "own" }, c: new Shown(), d: [new Map(), Object(5)] };
    """
    child.start(source)
    drained = child.drain()
    assert drained["calls"][0]["values"] == [{"a": ["a", 1]}]
    assert drained["output"]["result"] == {"b": "own", "c": ["c", 1], "d": [{}, 5]}


@pytest.mark.parametrize("value", ["a", "[a]", "{ a }"])
def test_a_cycle_under_pollution_is_a_serialization_failure(child: ChildProcess, value: str) -> None:
    source = (
        f"Object.prototype.toJSON = () => 'forged';\nconst a = {{}};\na.a = a;\nexport default ({value});"
    )
    assert child.failure_of(source).kind == "serialization"


def test_a_big_int_under_pollution_is_a_serialization_failure(child: ChildProcess) -> None:
    source = "Object.prototype.toJSON = () => 'forged';\nexport default [1n];"
    assert child.failure_of(source).kind == "serialization"


def test_tojson_of_big_int_is_honoured_under_pollution(child: ChildProcess) -> None:
    source = "Object.prototype.toJSON = () => 'forged';\nBigInt.prototype.toJSON = () => 'big';\n"
    source += "export default [1n];"
    assert child.result_of(source) == ["big"]
