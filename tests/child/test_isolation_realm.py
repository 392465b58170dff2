"""What the realm lacks: code from text, a clock, chance, modules, and args that change."""

from __future__ import annotations

from typing import Any

import pytest

from .child_process import ChildProcess

# Each would evaluate to 7 where code can be made from text.
DYNAMIC_CODE = {
    "eval": 'eval("7")',
    "indirect eval": '(0, globalThis.eval)("7")',
    "Function": 'new Function("return 7")()',
    "a function's constructor": '(function () {}).constructor("return 7")()',
    "an arrow's constructor": '(() => {}).constructor("return 7")()',
    "an async function's constructor": 'await (async function () {}).constructor("return 7")()',
    "a generator's constructor": '(function* () {}).constructor("yield 7")().next().value',
    "an async generator's": '(await (async function* () {}).constructor("yield 7")().next()).value',
    "a prototype's constructor": 'Object.getPrototypeOf(async () => {}).constructor("return 7")()',
    "a class's constructor": '(class {}).constructor("return 7")()',
    "a method's constructor": '({ m() {} }).m.constructor("return 7")()',
    "a bound function's": '(function () {}).bind().constructor("return 7")()',
    "a native's constructor": 'Math.max.constructor("return 7")()',
    "a proxy's constructor": 'new Proxy(function () {}, {}).constructor("return 7")()',
    "the agent's constructor": 'agent.constructor("return 7")()',
    "parallel's constructor": 'parallel.constructor("return 7")()',
    "log's constructor of constructor": 'log.constructor.constructor("return 7")()',
    "the denial's constructor": '(function () {}).constructor.constructor("return 7")()',
    "Reflect.construct": 'Reflect.construct((function () {}).constructor, ["return 7"])()',
    "a subclass of the constructor": 'new (class extends (function () {}).constructor {})("return 7")()',
    "the parent of GeneratorFunction": 'Object.getPrototypeOf((function* () {}).constructor)("return 7")()',
    "a getter's constructor": 'Object.getOwnPropertyDescriptor(budget, "total").get'
    '.constructor("return 7")()',
    "sleep's constructor": 'SW.extra.sleep.constructor("return 7")()',
    "an imported helper's": '(await import("workflow:extra")).sleep.constructor("return 7")()',
    "a Promise executor's": 'await new Promise((r) => r(r.constructor("return 7")()))',
    "setTimeout": 'setTimeout("7")',
    "ShadowRealm": 'new ShadowRealm().evaluate("7")',
}


@pytest.mark.parametrize("expression", DYNAMIC_CODE.values(), ids=DYNAMIC_CODE)
def test_no_code_is_made_from_text_by(child: ChildProcess, expression: str) -> None:
    source = (
        f"export default async () => {{ try {{ return {expression}; }} catch (e) {{ return e.name; }} }};"
    )
    assert child.result_of(source) in ("TypeError", "ReferenceError")


ABSENT = """
    eval Function AsyncFunction GeneratorFunction Date Temporal performance Intl WeakRef
    FinalizationRegistry fetch XMLHttpRequest WebSocket EventSource navigator location Deno Bun
    process require module exports Buffer __dirname __filename setTimeout setInterval setImmediate
    console print scriptArgs std os bjson Worker ShadowRealm WebAssembly SharedArrayBuffer Atomics
    ArrayBuffer DataView Uint8Array Float64Array DOMException gc structuredClone __readonly bridge
"""


def test_nothing_of_other_hosts_and_no_clock_or_collector_is_there(child: ChildProcess) -> None:
    source = (
        f"export default `{ABSENT}`.split(/\\s+/).filter((name) => typeof globalThis[name] !== 'undefined');"
    )
    assert child.result_of(source) == []


def test_math_random_throws(child: ChildProcess) -> None:
    source = """
        const outcomes = [];
        for (const attempt of [
            () => Math.random(), () => { Math.random = () => 0.5; }, () => { delete Math.random; },
        ]) try { attempt(); outcomes.push("done"); } catch (e) { outcomes.push(e.name); }
        export default outcomes;
    """
    assert "done" not in child.result_of(source)


def test_an_object_tells_no_address_or_identity_in_its_text(child: ChildProcess) -> None:
    source = "export default [String({}), String(() => 1), String(agent), String(Symbol('x')), `${[]}`];"
    first = child.result_of(source)
    with ChildProcess() as other:
        assert other.result_of(source) == first


RESTRICTED = "workflow imports are restricted"
OTHERS = [
    "fs",
    "node:fs",
    "./other.js",
    "https://example.com/x.js",
    "workflow:other",
    "workflow.js",
    "",
    "\\0",
]


@pytest.mark.parametrize("specifier", [*OTHERS, "/etc/passwd", "flowcage:prelude"])
def test_a_static_import_of_anything_else_is_refused_at_start(child: ChildProcess, specifier: str) -> None:
    failure = child.failure_of(f'import x from "{specifier}";\nexport default 1;')
    assert failure.kind == "import"
    assert RESTRICTED in failure.message


@pytest.mark.parametrize(
    "form", ['import "fs";', 'export * from "fs";', 'export { x as default } from "fs";']
)
def test_every_form_of_static_import_is_refused_at_start(child: ChildProcess, form: str) -> None:
    failure = child.failure_of(f"{form}\nconst y = 1;")
    assert failure.kind == "import"
    assert RESTRICTED in failure.message


@pytest.mark.parametrize("specifier", OTHERS)
def test_a_dynamic_import_of_anything_else_is_rejected(child: ChildProcess, specifier: str) -> None:
    source = f'export default await import("{specifier}").then(() => "loaded", (e) => e.message);'
    assert RESTRICTED in child.result_of(source)


def test_an_uncaught_dynamic_import_ends_the_run(child: ChildProcess) -> None:
    failure = child.failure_of('export default () => import("fs");')
    assert RESTRICTED in failure.message


def test_a_module_can_not_import_itself_by_its_own_name(child: ChildProcess) -> None:
    source = 'import * as self from "./wf.js";\nexport default 1;'
    assert child.failure_of(source, sourceName="./wf.js").kind == "import"


def test_a_module_named_like_a_virtual_one_does_not_become_it(child: ChildProcess) -> None:
    source = 'import { sleep } from "workflow:extra";\nexport default sleep === SW.extra.sleep;'
    assert child.result_of(source, sourceName="workflow:extra") is True


@pytest.mark.parametrize("module", ["extra", "sandbox"])
def test_a_virtual_module_has_its_functions_and_a_default_only(child: ChildProcess, module: str) -> None:
    source = f"""
        import * as all from "workflow:{module}";
        import same from "workflow:{module}";
        export default [Object.keys(all), same === SW.{module}, all === await import("workflow:{module}")];
    """
    names = {"extra": ["ask", "default", "sleep"], "sandbox": ["default", "exec"]}[module]
    assert child.result_of(source) == [names, True, True]


def test_importing_a_name_that_a_virtual_module_lacks_is_an_import_failure(child: ChildProcess) -> None:
    failure = child.failure_of('import { nope } from "workflow:extra";\nexport default 1;')
    assert failure.kind == "import"
    assert "nope" in failure.message


def test_import_meta_tells_nothing(child: ChildProcess) -> None:
    assert child.result_of("export default Object.getOwnPropertyNames(import.meta);") == []


MUTATIONS = {
    "write": "args.a = 2",
    "add": "args.z = 2",
    "delete": "delete args.a",
    "nested write": "args.nested.value.v = 2",
    "nested add": "args.nested.value.w = 2",
    "array write": "args.list[0] = 2",
    "array push": "args.list.push(3)",
    "array reverse": "args.list.reverse()",
    "array length": "args.list.length = 0",
    "object in an array": "args.list[2].deep = 1",
    "Object.assign": "Object.assign(args, { a: 2 })",
    "Object.defineProperty": "Object.defineProperty(args, 'a', { value: 2 })",
    "Object.setPrototypeOf": "Object.setPrototypeOf(args, null)",
    "__proto__": "args.__proto__ = { x: 1 }",
    "a value from a descriptor": "Object.getOwnPropertyDescriptor(args, 'nested').value.value.v = 2",
    "a value from Object.values": "Object.values(args)[1].value.v = 2",
    "a value from an iterator": "for (const x of args.list) x.deep = 1",
}


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS)
def test_args_refuse(child: ChildProcess, mutation: str) -> None:
    given: dict[str, Any] = {"a": 1, "nested": {"value": {"v": 1}}, "list": [2, 1, {}]}
    source = f"""
        let refused = "not refused";
        try {{ {mutation}; }} catch (e) {{ refused = e.name; }}
        export default [refused, args];
    """
    assert child.result_of(source, args=given) == ["TypeError", given]


def test_args_can_be_sealed_and_frozen_without_harm(child: ChildProcess) -> None:
    source = """
        Object.preventExtensions(args); Object.freeze(args);
        export default [args.a, Object.isFrozen(args), Object.isFrozen(args.list)];
    """
    assert child.result_of(source, args={"a": 1, "list": []}) == [1, True, True]


def test_args_are_still_plain_data(child: ChildProcess) -> None:
    source = """export default {
        json: JSON.stringify(args), spread: { ...args, b: 2 }, isArray: Array.isArray(args.list),
        map: args.list.map((n) => n * 2), items: [...args.list, 3],
        sorted: args.list.toSorted((a, b) => b - a),
        keys: Object.keys(args), prototype: Object.getPrototypeOf(args) === Object.prototype,
        array: Object.getPrototypeOf(args.list) === Array.prototype, text: String(args.list),
        concat: [0].concat(args.list), found: args.list.includes(2),
    };"""
    assert child.result_of(source, args={"a": 1, "list": [1, 2]}) == {
        "json": '{"a":1,"list":[1,2]}',
        "spread": {"a": 1, "list": [1, 2], "b": 2},
        "isArray": True,
        "map": [2, 4],
        "items": [1, 2, 3],
        "sorted": [2, 1],
        "keys": ["a", "list"],
        "prototype": True,
        "array": True,
        "text": "1,2",
        "concat": [0, 1, 2],
        "found": True,
    }


def test_a_stack_hook_sees_no_function_of_the_prelude(child: ChildProcess) -> None:
    source = """
        const seen = [];
        const probe = () => { new Error("x").stack; return 1; };
        Error.prepareStackTrace = (error, sites) => {
            for (const site of sites) {
                const f = site.getFunction?.();
                if (f !== undefined && f !== probe) seen.push(String(site.getFunctionName()));
            }
            return "";
        };
        log({ get a() { return probe(); } });
        export default seen.filter((name) => name !== "get a" && name !== "a");
    """
    assert child.result_of(source) == []


def test_functions_of_the_prelude_have_no_caller_or_arguments(child: ChildProcess) -> None:
    source = """
        const found = [];
        function probe() {
            for (const f of [probe, log, agent, parallel])
                for (const name of ["caller", "arguments"])
                    try { if (f[name]) found.push(name); } catch {}
            return 1;
        }
        log({ get a() { return probe(); } });
        export default found;
    """
    assert child.result_of(source) == []
