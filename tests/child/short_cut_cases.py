"""Lines and parts of lines for the tests of the short cut, those that take it and those that must not."""

from __future__ import annotations

import json
from typing import Any

from flowcage.protocol.limits import Limits

OK = {"type": "ok", "value": 1}
SPENT = {"total": 100, "spent": 7}
# Three requests are always outstanding, and all that an answer can be is shown.
ECHO = """
const show = (v) => typeof v === 'object' && v !== null && !Array.isArray(v)
  ? [Object.keys(v), Object.getPrototypeOf(v) === Object.prototype, v] : [typeof v, Object.is(v, -0), v];
async function ask(name) {
  for (;;) {
    try { log(name, show(await agent(name)), budget.total, budget.spent(), budget.remaining()); }
    catch (error) { log(name, error.message, error.stack, error.request); }
  }
}
ask('a'); ask('b'); await ask('c');
"""

USUAL_RUNS: dict[str, dict[str, Any]] = {
    "a value": {"source": "export default 1"},
    "a script": {"source": "log(args); return [args, budget.total, budget.spent()]", "args": {"a": [1, "x"]}},
    "a request": {"source": "export default await agent('x')"},
    "a function": {"source": "export default async (a, c) => [a, Object.keys(c), await c.agent('x')]"},
    "no args": {"source": "export default [typeof args, Object.keys(args)]"},
    "null for args": {"source": "export default [args]", "args": None},
    "frozen args": {"source": "'use strict'; try { args.a = 1 } catch (e) { log(e.message) }", "args": {
    "b": 1}},
    "the globals": {"source": "export default Object.keys(globalThis)"},
    "a budget": {"source": "export default [budget.total, budget.spent()]", "budget": SPENT},
    "a budget without a ceiling": {"source": "export default budget", "budget": {"total": None, "spent": 2}},
    "described": {"source": "export default 1", "describe": True},
    "not described": {"source": "export default 1", "describe": False},
    "a described script": {"source": "return 1", "describe": True, "dialect": "script"},
    "all members": {
        "source": "throw new Error('x')", "sourceName": "a b.js", "args": 1, "budget": SPENT,
        "dialect": "module",
        "describe": True,
    },
    "an odd name": {"source": "throw new Error('x')", "sourceName": "ä,=\u2028.js"},
    "an empty name": {"source": "throw new Error('x')", "sourceName": ""},
    "a virtual name": {"source": "import 'workflow:extra'; export default 1", "sourceName": "workflow:extra"},
    "non-ASCII": {"source": "// 你好\nlog('é', '\u2028😀'); return args", "args": "ü😀\u2028"},
    "a byte-order mark": {"source": "\ufeffreturn 1"},
    "a hashbang": {"source": "#!/usr/bin/env node\nthrow new Error('second line')"},
    "NUL": {"source": "log('\0'); return 1"},
    "a bad NUL": {"source": "\0return 1"},
    "an empty source": {"source": ""},
    "a syntax error": {"source": "const a = ;", "sourceName": "w.js"},
    "TypeScript": {"source": "const a: string = 1"},
    "a bracket": {"source": "}); (() => {"},
    "a refused import": {"source": "import fs from 'fs'; export default 1"},
    "a refused name": {"source": "import { nothing } from 'workflow:extra'; export default 1"},
    "a dynamic import": {"source": "try { await import('fs') } catch (e) { log(e.stack) } return 1"},
    "a virtual import": {
    "source": "import { sleep } from 'workflow:extra'; await sleep(5); export default 1"},
    "meta alone": {"source": "export const meta = { name: 'x' }"},
    "meta": {"source": "export const meta = { name: 'x', phases: ['a'] }; return 1", "describe": True},
    "computed meta": {"source": "export const meta = { name: f() }; export default 1"},
    "wrong meta": {"source": "export const meta = { phases: 1 }; export default 1"},
    "no default": {"source": "export const a = 1", "dialect": "module"},
    "no return": {"source": "log(1)"},
    "a script that exports": {"source": "export default 1; return 2"},
    "thrown": {"source": "function f() { throw new RangeError('no') }\nf()"},
    "thrown null": {"source": "throw null"},
    "thrown getters": {"source": "throw { get message() { throw 1 }, get stack() { return 2 } }"},
    "rejected": {"source": "log(1); agent('x'); await Promise.reject(new TypeError('no'))"},
    "rejected and unhandled": {"source": "Promise.reject(new Error('lost')); return 1"},
    "a request that fails": {"source": "agent('x'); throw new Error('after a request')"},
    "unawaited requests": {"source": "agent('x', { label: 'l' }); return 1"},
    "stalled": {"source": "await new Promise(() => {})"},
    "stalled with notes": {"source": "Promise.reject(1); log(NaN, new Set()); await new Promise(() => {})"},
    "notes": {"source": "log(new Map(), [() => {}]); return new Set()"},
    "a result with a thrown getter": {"source": "return { get a() { throw new Error('getter') } }"},
    "a result with toJSON": {"source": "return { toJSON() { return { b: [1] } } }"},
    "a result that has no JSON": {"source": "return Symbol('x')"},
    "a BigInt": {"source": "return 1n"},
    "a cycle": {"source": "const a = {}; a.a = a; return a"},
    "a deep result": {"source": "let a = []; for (let i = 0; i < 600; i++) a = [a]; return a"},
    "a thenable": {"source": "export default { then(f) { agent('x').then(f) } }"},
    "a thenable that throws": {"source": "export default { get then() { throw new Error('then') } }"},
    "a lone surrogate": {"source": "log('\\ud800'); return '\\udfff'"},
    "a job that throws": {"source": "queueMicrotask(() => { throw new Error('job') }); return 1"},
    "an endless await": {"source": "export default 1; await agent('x')"},
    "polluted": {"source": "Object.prototype.toJSON = () => 1; Array.prototype[0] = 2; return [{ a: [] }]"},
    "a polluted prototype": {
        "source": "for (const n of ['params', 'turns', 'value', 'budget']) Object.prototype[n] = 1;"
        "log(await agent('x')); return 1",
    },
    "many calls": {"source": "for (let i = 0; i < 300; i++) { log(i); phase(`p${i}`); agent(`a${i}`) }"},
    "stack": {"source": "const f = () => f() + 1; return f()"},
    "a long result": {"source": "return 'x'.repeat(9e6)"},
    "deep args": {"source": "return 1", "args": json.loads("[" * 300 + "]" * 300)},
    "the name __proto__": {"source": "return [Object.keys(args), args]", "args": {"__proto__": 1}},
}  # fmt: skip
OTHER_RUNS: dict[str, dict[str, Any]] = {
    "lower limits": {"source": "agent('a'); agent('b')", "limits": {"maxPendingRequests": 1}},
    "a name of two lines": {"source": "throw new Error('x')", "sourceName": "a\nb"},
    "-0": {"source": "return Object.is(args, -0)", "args": -0.0},
    "no source": {},
    "a source that is none": {"source": 1},
    "a name that is none": {"source": "return 1", "sourceName": None},
    "another dialect": {"source": "return 1", "dialect": "jsx"},
    "a dialect of Object.prototype": {"source": "return 1", "dialect": "toString"},
    "a dialect in a list": {"source": "return 1", "dialect": ["auto"]},
    "describe that is none": {"source": "return 1", "describe": 1},
    "no budget": {"source": "return 1", "budget": None},
    "half a budget": {"source": "return 1", "budget": {"total": 1}},
    "a negative budget": {"source": "return 1", "budget": {"total": -1, "spent": 0}},
    "a budget of text": {"source": "return 1", "budget": {"total": "1", "spent": 0}},
}
CALLS_AND_END = "log('before'); agent('asked'); "
LIMITS = {
    "time": (Limits(step_timeout_ms=100), CALLS_AND_END + "for (;;);"),
    "time in a promise": (
        Limits(step_timeout_ms=100),
        CALLS_AND_END + "await (async () => { for (;;); })();",
    ),
    "time, caught": (
        Limits(step_timeout_ms=100),
        "await Promise.any([(async () => { for (;;); })()]); return 1",
    ),
    "requests": (Limits(max_pending_requests=2), "try { for (;;) agent('x') } catch { log(1) } return 1"),
    "queued": (Limits(max_queued_bytes=1000), "try { for (;;) log('x') } catch {} return 1"),
    "memory": (Limits(), "log(1); const a = []; for (;;) a.push(new Array(10000).fill(0));"),
    "little memory": (Limits(memory_bytes=3 << 20), "const a = []; for (;;) a.push({});"),
    "no memory": (Limits(memory_bytes=1000), "return 1"),
    "little stack": (Limits(stack_bytes=20_000), "return 1"),
    "short lines": (Limits(max_message_bytes=200), "return 'x'.repeat(300)"),
    "very short lines": (Limits(max_message_bytes=50), "return 1"),
}


TURNS: dict[str, list[Any]] = {
    "a value": [("1", OK)],
    "with a budget": [("1", {**OK, "budget": SPENT})],
    "with a budget without a ceiling": [("2", {**OK, "budget": {"total": None, "spent": 0}})],
    "the largest budget": [("2", {**OK, "budget": {"total": 2**53 - 1, "spent": 2**53 - 1}})],
    "undefined": [("1", {"type": "ok_undefined"})],
    "an error": [("3", {"type": "error", "message": "no\u2028 😀"})],
    "all at once": [("3", OK), ("1", {"type": "ok_undefined"}), ("2", {**OK, "budget": SPENT})],
    "two budgets": [("1", {**OK, "budget": SPENT}), ("2", {**OK, "budget": {"total": 9, "spent": 8}})],
    "unknown members": [("1", {**OK, "more": [1], "message": 5, "budgets": 1})],
    "a value with members of its own": [
        ("1", {"type": "ok", "value": {"id": 1, "total": 2, "turns": [[]], "constructor": 1}})
    ],
}
OTHER_TURNS: dict[str, list[Any]] = {
    "unknown": [("4", OK)],
    "unknown at last": [("1", OK), ("2", OK), ("", OK)],
    "twice": [("1", OK), ("2", OK), ("1", OK)],
    "of another form": [("01", OK), ("1.0", OK)],
    "a name of Object.prototype": [("constructor", OK)],
    "__proto__": [("__proto__", OK)],
    "a number": [(1, OK)],
    "no turn": [],
    "no type": [("1", {"value": 1})],
    "another type": [("1", {"type": "okay", "value": 1})],
    "no value": [("1", {"type": "ok"})],
    "no message": [("1", {"type": "error"})],
    "a message that is none": [("1", {"type": "error", "message": 1})],
    "no resolution": [("1", None)],
    "an infinite budget": [("1", {**OK, "budget": {"total": 2**53, "spent": 1}})],
    "a fraction": [("1", {**OK, "budget": {"total": 1.5, "spent": 1}})],
    "a budget of 5.0": [("1", {**OK, "budget": {"total": 5.0, "spent": 1}})],
    "no budget": [("1", {**OK, "budget": None})],
    "budgets elsewhere": [("1", {"type": "ok", "value": {"budget": SPENT}})],
}


# Texts of JSON values, some of them none, in places where a value or a number is expected.
NUMBERS = [
    "-0", "-0.0", "-0e5", "0", "0.0", "1.0", "5e0", "1e999", "-1E400", "1e308", "1.8e308", "1" * 308,
    "1" * 309,
    "1" * 310, "2" + "0" * 308, "1" + "0" * 250 + "e99", "0." + "0" * 400 + "1e700", "9007199254740993",
    "123456789012345678901234567890", "0.1000000000000000055511151231257827", "1e-400", "5e-324", "01",
    "2.5e-324", "+1", ".5", "1.", "1e", "0x1", "1_0", "NaN", "Infinity", "-Infinity", "-", "--1", "1 2",
    "1e0000000000000000999", "7", "7.0", "7e0", "70e-1", "0.7E1",
]  # fmt: skip
TEXTS = [
    "null", "true", "nul", "True", "undefined", '"\\ud800"', '"\\udfff\\ud800"', '"\\ud83d\\ude00"',
    '"\\u0000"',
    '"\\x41"', '"\\u00g1"', '"\\u004"', '"\t"', '"\0"', "'a'", '"\x7f\u2028"', '"a', "[1,]", "[,1]",
    "{,}", '{"a":1,}',
    "{a:1}", '{"a" 1}', "[", "{}}", "/* */1", "// 1", "1;", "\f1", "\v1", "\u00a01", "\ufeff1", " 1 ",
    "\r\t 1",
    '{"__proto__":{"a":1}}', '{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '{"2":1,"1":2,"a":3,"-1":4}', '[[[]]]',
    '{"toJSON":1,"then":2,"constructor":null}', "[" * 505 + "]" * 505, "[" * 600 + "]" * 600, "[]" * 2,
    '{"a":1e999,"a":1}', '{"a":-1E+0400}', '[ \t-1.5e309]', '"1e999"', '"uuid 12e345"', "[1e30,2e40]",
    '"\ud800"',
    "[" + "[],{}," * 5000 + "0]", '{"budget":5}', '"\\"budget\\":"', '"params"', '{"params":1}',
]  # fmt: skip
_ADVANCE = '{{"jsonrpc":"2.0","id":7,"method":"advance","params":'
_DONE = '{{"type":"ok_undefined"}}'
PLACES = [
    _ADVANCE + '{{"turns":[[{{"id":"1","resolution":{{"type":"ok","value":{}}}}}]]}}}}',
    _ADVANCE + '{{"turns":[[{{"id":"1","resolution":{{"type":"ok","value":{},"value":1}}}}]]}}}}',
    _ADVANCE + '{{"turns":[[{{"id":"1","resolution":{{"type":"ok","value":1,"budget":{{"total":{},"spent":1'
    "}}}}}}]]}}}}",
    _ADVANCE + '{{"turns":[[{{"id":"1","resolution":{{"budget":{{"total":null,"spent":{}}},"type":"ok",'
    '"value":{{"budget":{{"total":5,"spent":1}}}}}}}}]]}}}}',
    _ADVANCE + '{{"turns":[[{{"id":"1","resolution":{{"type":"error","message":{}}}}}]]}}}}',
    _ADVANCE + '{{"turns":[[{{"id":"1","resolution":{}}}]]}}}}',
    _ADVANCE + '{{"turns":{}}}}}',
    _ADVANCE + "{}}}",
    _ADVANCE + '{{"turns":[[{{"id":"1","resolution":{{"type":"ok","value":1}}}}]]}},"more":{}}}',
    _ADVANCE + '{{}},"id":{},"params":{{"turns":[[{{"id":"1","resolution":' + _DONE + "}}]]}}}}",
    _ADVANCE
    + '{{"turns":[[{{"id":"1","resolution":'
    + _DONE
    + '}}]]}},"\\u0069d":{},"\\u0070arams":{{"turns":'
    '[[{{"id":"2","resolution":' + _DONE + "}}]]}}}}",
    '{{"jsonrpc":"2.0","id":{},"method":"advance","params":{{"turns":[[{{"id":"1","resolution":'
    + _DONE
    + "}}]]}}}}",
]
