"""JavaScript that wants more than its share: by family and name, and how a run may end for it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from flowcage.host.outcome.verdict import Verdict

MIB = 1024 * 1024
HUNG = {Verdict.STEP_TIMEOUT, Verdict.CPU_LIMIT}
FULL = {Verdict.MEMORY_LIMIT}
# Filling 16 MiB may take longer than a step has, on a busy machine.
FULL_OR_HUNG = FULL | HUNG
FAILED = {Verdict.FAILED}
# Natives that nest without the engine's guard overflow the C stack, where there is memory for so many.
OVERFLOW = {Verdict.CRASHED, Verdict.FAILED}
ROOM = {"memory_bytes": 128 * MIB}
ENDLESS = "{ length: 2 ** 53 - 1 }"


@dataclass(frozen=True)
class Attack:
    """A workflow, the verdicts it may end with, and what is unlike `LIMITS` and `OPTIONS` for it."""

    source: str
    verdicts: set[Verdict]
    limits: dict[str, int] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


LIMITS = {"step_timeout_ms": 200, "cpu_seconds": 1, "memory_bytes": 16 * MIB}
# For what needs no time-out to end.
UNHURRIED = {"step_timeout_ms": 25_000}
# A second of CPU takes minutes where others want the machine as well: children are the last to have it.
OPTIONS: dict[str, Any] = {"answer_grace_seconds": 0.3, "timeout_seconds": 600}

# In the engine's own code, which does not look at the clock, or in code that it calls while it reports.
NATIVES = {
    "toJSON of the result loops": Attack("export default { toJSON() { for (;;); } }", HUNG),
    "getter of the result loops": Attack("export default { get a() { for (;;); } }", HUNG),
    "proxy as the result loops": Attack("export default new Proxy({}, { ownKeys() { for (;;); } })", HUNG),
    "toString of what is thrown loops": Attack("throw { toString() { for (;;); } }", HUNG | FAILED),
    "message getter of what is thrown loops": Attack("throw { get message() { for (;;); } }", HUNG | FAILED),
    "stack getter of what is thrown loops": Attack(
        "throw Object.defineProperty(new Error('x'), 'stack', { get() { for (;;); } })", HUNG | FAILED
    ),
    "name getter of an error class loops": Attack(
        "throw new (class extends Error { get name() { for (;;); } })('x')", HUNG | FAILED
    ),
    "getter of a logged value loops": Attack("log({ get a() { for (;;); } })", HUNG),
    "long array becomes text": Attack("Array(1e9) + ''", HUNG | FULL),
    "sparse array is reversed": Attack("const a = []; a[2 ** 32 - 2] = 1; a.reverse()", HUNG),
    "sparse array is sorted": Attack(f"Array.prototype.sort.call({ENDLESS})", HUNG | FULL),
    "copyWithin": Attack(f"Array.prototype.copyWithin.call({ENDLESS}, 1, 0)", HUNG),
    "indexOf": Attack(f"Array.prototype.indexOf.call({ENDLESS}, 1)", HUNG),
    "lastIndexOf": Attack(f"Array.prototype.lastIndexOf.call({ENDLESS}, 1)", HUNG),
    "includes": Attack(f"Array.prototype.includes.call({ENDLESS}, 1)", HUNG),
    "join": Attack("Array.prototype.join.call({ length: 2 ** 31 - 1 }, '')", HUNG | FULL),
    "unshift": Attack("Array.prototype.unshift.call({ length: 2 ** 53 - 2 }, 1)", HUNG),
    "forEach of nothing": Attack(f"Array.prototype.forEach.call({ENDLESS}, () => 0)", HUNG),
    "flat of nothing": Attack(f"Array.prototype.flat.call({ENDLESS})", HUNG),
    "regular expression backtracks": Attack("/^(a+)+$/.test('a'.repeat(50) + 'b')", HUNG | FULL),
    "lookbehind backtracks": Attack("/(?<=x(a|aa)+)b/.test('a'.repeat(60) + 'b')", HUNG | FULL),
    "BigInt grows": Attack("let x = 3n; for (;;) x *= x", HUNG | FAILED),
    "BigInt becomes text": Attack("for (;;) ((1n << 1000000n) - 1n).toString()", HUNG),
    "text becomes a BigInt": Attack("for (;;) BigInt('9'.repeat(2e5))", HUNG),
    "Set of an endless iterator": Attack(
        "new Set({ [Symbol.iterator]: () => ({ next: () => ({}) }) })", HUNG
    ),
    "sort by a comparator that loops": Attack("[1, 2, 3].sort(() => { for (;;); })", HUNG),
    "native loops with a long step": Attack(
        f"Array.prototype.indexOf.call({ENDLESS}, 1)",
        {Verdict.CPU_LIMIT},
        {"step_timeout_ms": 20_000},
    ),
    "loop with a long step": Attack("for (;;);", {Verdict.CPU_LIMIT}, {"step_timeout_ms": 20_000}),
}

SWALLOWERS = {
    "catch in a loop": Attack("for (;;) try { for (;;); } catch {}", HUNG),
    "finally that continues": Attack("for (;;) try { for (;;); } finally { continue }", HUNG),
    "generator that returns into a loop": Attack(
        "function* g() { for (;;) try { yield 1 } finally { for (;;); } } for (const x of g()) break", HUNG
    ),
    "async function": Attack("for (;;) (async () => { for (;;); })()", HUNG),
    "promise executor": Attack("for (;;) new Promise(() => { for (;;); })", HUNG),
    "iterator's return": Attack(
        "for (;;) try { const [a] ="
        " { [Symbol.iterator]: () => ({ next: () => ({}), return() { for (;;); } }) } }"
        " catch {}",
        HUNG,
    ),
    "microtasks without end": Attack(
        "const f = () => Promise.resolve().then(f); export default f()", FULL_OR_HUNG
    ),
    "awaiting without end": Attack("for (;;) await 0", HUNG),
    "thenable that resolves with itself": Attack("const t = { then(r) { r(t) } }; await t", HUNG),
    "thenable that loops": Attack("await { then() { for (;;); } }", HUNG),
    "async generator without end": Attack(
        "for await (const x of (async function* () { for (;;) yield 1 })());", HUNG
    ),
    "rejections caught without end": Attack(
        "const f = () => Promise.reject(1).catch(f); await f()", HUNG | FULL
    ),
}

BOMB = FULL | {Verdict.CPU_LIMIT}
MEMORY = {
    "array of texts": Attack("const k = []; for (;;) k.push('x'.repeat(1e5) + k.length)", FULL),
    "array of arrays": Attack("let k = []; for (;;) k = [k, k]", FULL),
    "text that doubles": Attack("let s = 'ab'; for (;;) s = (s + s).split('').join('')", FULL),
    "repeat": Attack("const k = []; for (;;) k.push('x'.repeat(2 ** 29))", FULL),
    "padEnd": Attack("'x'.padEnd(2 ** 29, 'yz')", FULL),
    "replaceAll": Attack("'a'.repeat(1e6).replaceAll('a', 'b'.repeat(1e4))", BOMB),
    "replace with itself": Attack("let s = 'ab'; for (;;) s = s.replace(/.*/, '$&$&$&$&')", FULL | FAILED),
    "ArrayBuffer": Attack("new ArrayBuffer(2 ** 31 - 1)", FAILED),
    "typed arrays": Attack("const k = []; for (;;) k.push(new Float64Array(1e5).fill(1))", FAILED),
    "Map": Attack("const m = new Map(); for (let i = 0;; i++) m.set(i, [i])", FULL),
    "Array.from": Attack("Array.from({ length: 1e9 })", FULL),
    "fill of a plain object": Attack(f"Array.prototype.fill.call({ENDLESS}, 0)", FULL),
    "arguments without end": Attack("Math.max.apply(null, { length: 1e9 })", FAILED),
    "closures": Attack("let f = () => 0; for (;;) { const g = f; f = () => g }", FULL),
    # There may be no room for the error itself.
    "properties": Attack("const o = {}; for (let i = 0;; i++) o['k' + i] = i", FULL | FAILED),
    "symbols": Attack("const k = []; for (let i = 0;; i++) k.push(Symbol.for('s' + i))", FULL),
    "proxy with a million keys": Attack(
        "export default new Proxy({}, { ownKeys: () => Array.from({ length: 1e6 }, (_, i) => 'k' + i) })",
        FULL,
    ),
    "promises": Attack("const k = []; for (;;) k.push(new Promise(() => 0))", FULL),
    "chain of promises": Attack("let p = Promise.resolve(); for (;;) p = p.then(() => 0)", FULL),
    "generators": Attack(
        "const k = []; function* g() { yield 1 } for (;;) { k.push(g()); k.at(-1).next() }", FULL
    ),
    "iterator to an array": Attack("Iterator.from({ next: () => ({ value: 1 }) }).toArray()", FULL),
    "JSON.stringify of a tree that shares": Attack(
        "let d = [1]; for (let i = 0; i < 40; i++) d = [d, d]; JSON.stringify(d)", BOMB
    ),
    "result that shares": Attack(
        "let d = [1]; for (let i = 0; i < 40; i++) d = [d, d]; export default d",
        BOMB | FAILED | {Verdict.OUTPUT_LIMIT},
    ),
    "JSON.parse": Attack("JSON.parse('[' + '1,'.repeat(5e6) + '1]')", FULL),
    "errors with causes": Attack("let e = 0; for (;;) e = new Error('x'.repeat(1e4), { cause: e })", FULL),
    "caught and begun again": Attack(
        "for (;;) try { const k = []; for (;;) k.push('x'.repeat(1e5) + k.length) } catch {}", BOMB
    ),
}

DEEP = "for (let i = 0; i < 1e5; i++)"
RECURSION = {
    "function": Attack("const f = () => 1 + f(); f()", FAILED),
    "toString": Attack("const o = { toString() { return '' + o } }; '' + o", FAILED),
    "getter": Attack("const o = { get a() { return o.a } }; o.a", FAILED),
    "proxy": Attack("const p = new Proxy({}, { get: () => p.x }); p.x", FAILED),
    "toJSON": Attack("const o = { toJSON() { return JSON.stringify(o) } }; JSON.stringify(o)", FAILED),
    "replacer of itself": Attack("const f = () => 'a'.replace(/a/, f); f()", FAILED),
    "sort in sort": Attack("const f = () => [1, 2].sort(f); f()", FAILED),
    "constructor": Attack("class A { x = new A() } new A()", FAILED),
    "species": Attack(
        "class A extends Array { static get [Symbol.species]() { return new A(1).map((x) => x) } }"
        " new A(1).map((x) => x)",
        FAILED,
    ),
    "iterator": Attack("const o = { [Symbol.iterator]: () => [...o] }; [...o]", FAILED),
    "nest of iterator helpers": Attack(
        f"let it = [1].values(); {DEEP} it = it.map((x) => x); it.next()", OVERFLOW, ROOM
    ),
    "nest of lazy helpers": Attack(
        f"let it = [1].values(); {DEEP} it = it.drop(0); it.next()", OVERFLOW, ROOM
    ),
    "nest of flatMap": Attack(
        f"let it = [1].values(); {DEEP} {{ const g = it; it = [1].values().flatMap(() => g) }} it.next()",
        OVERFLOW,
        ROOM,
    ),
    "nest of bound functions": Attack(
        f"let f = () => 1; {DEEP} f = f.bind(null); f()", OVERFLOW | FULL, ROOM
    ),
    "nest of proxies": Attack(f"let p = {{}}; {DEEP} p = new Proxy(p, {{}}); p.x", OVERFLOW, ROOM),
    "chain of prototypes": Attack(
        f"let p = {{}}; {DEEP} p = Object.create(p); 'x' in p; throw 1", OVERFLOW, ROOM
    ),
    "nest of generators": Attack(
        f"let g = [1]; {DEEP} {{ const inner = g; g = (function* () {{ yield* inner }})() }} [...g]",
        OVERFLOW,
        ROOM,
    ),
    "nest of texts": Attack(
        "let s = ''; for (let i = 0; i < 1e6; i++) s = s + 'xy' + i; s.charAt(5); throw 1", OVERFLOW, ROOM
    ),
    "result that is deep": Attack(f"let d = []; {DEEP} d = [d]; export default d", FAILED),
    "log that is deep": Attack(f"let d = []; {DEEP} d = [d]; log(d)", FAILED),
    "flat of a deep array": Attack(f"let d = []; {DEEP} d = [d]; d.flat(Infinity); throw 1", FAILED),
    "JSON.parse": Attack("JSON.parse('['.repeat(1e6))", FAILED),
    "regular expression": Attack("new RegExp('('.repeat(1e5) + ')'.repeat(1e5))", FAILED),
    "regular expression of lookaheads": Attack("new RegExp('(?='.repeat(1e5) + ')'.repeat(1e5))", FAILED),
    "cause of a cause": Attack(
        f"let e = new Error('x'); {DEEP} e = new Error('y', {{ cause: e }}); throw e", OVERFLOW, ROOM
    ),
    "source": Attack("export default " + "(".ljust(100_000, "("), FAILED),
    "source of arrows": Attack("export default " + "a=>" * 60_000 + "1", FAILED),
    "catch at the end of the stack": Attack(
        "const f = () => { try { f() } catch { f() } }; f()", HUNG | FAILED
    ),
    "thenables": Attack("const t = () => ({ then(r) { r(t()) } }); await t()", FULL | HUNG),
}

BUSY = FULL_OR_HUNG | {Verdict.OUTPUT_LIMIT, Verdict.FAILED}
FLOODS = {
    "log": Attack("for (;;) log('x')", BUSY),
    "log of long texts": Attack("const s = 'x'.repeat(1e5); for (;;) log(s)", BUSY),
    "log of control characters": Attack("const s = '\\u0001'.repeat(1e5); for (;;) log(s)", BUSY),
    "phase": Attack("for (;;) phase('x')", BUSY),
    "agent": Attack("for (;;) agent('x')", BUSY),
    "agent with options": Attack("for (;;) agent('x', { label: 'y'.repeat(1e4) })", BUSY),
    "agent once too often": Attack(
        "for (let i = 0; i < 30; i++) agent('x'); export default SW.extra.sleep(1e6)",
        FAILED | {Verdict.OUTPUT_LIMIT},
        {"max_pending_requests": 20, "step_timeout_ms": 2000},
    ),
    "sleep": Attack("for (;;) SW.extra.sleep(1)", BUSY),
    "workflow": Attack("for (;;) workflow({ scriptPath: 'x' })", BUSY),
    "sandbox.exec": Attack("for (;;) SW.sandbox.exec('p', { command: 'x' })", BUSY),
    "diagnostics": Attack("for (;;) Promise.reject(new Error('x'.repeat(1e3)))", BUSY),
    "message of an error": Attack("throw new Error('x'.repeat(6e6))", FAILED | FULL),
    "name of an error": Attack("const e = Error(); e.name = '\\u0001'.repeat(3e6); throw e", FAILED | FULL),
    "result": Attack(
        "export default '\\u0001'.repeat(3e6)", FULL | {Verdict.OUTPUT_LIMIT}, {"step_timeout_ms": 2000}
    ),
    "asking for ever": Attack(
        "for (;;) await agent('x')", {Verdict.WALL_TIMEOUT}, {},
        {"timeout_seconds": 1, "max_total_agents": 10**9},
    ),
    "logging for ever": Attack(
        "for (;;) { log('x'.repeat(1e4)); await agent('x') }", {Verdict.OUTPUT_LIMIT}, {},
        {"max_received_bytes": 100_000},
    ),
    "sleeping for ever": Attack(
        "await SW.extra.sleep(1e9)", {Verdict.WALL_TIMEOUT}, {}, {"timeout_seconds": 0.7}
    ),
    "work between answers": Attack(
        "for (;;) { await agent('x'); for (let i = 0; i < 1e5; i++); }", {Verdict.CPU_LIMIT},
        {"step_timeout_ms": 5000},
    ),
}  # fmt: skip

STALLS = {
    "promise that nobody settles": Attack("export default new Promise(() => {})", {Verdict.STALLED}),
    "await at the top": Attack("await new Promise(() => {}); export default 1", {Verdict.STALLED}),
    "thenable that never calls": Attack("export default { then() {} }", {Verdict.STALLED}),
    "stall after an answer": Attack("await agent('x'); await new Promise(() => {})", {Verdict.STALLED}),
    "promise of itself": Attack("const p = Promise.resolve().then(() => p); export default p", FAILED),
    "generator that waits for ever": Attack(
        "for await (const x of (async function* () { await new Promise(() => {}); yield 1 })());",
        {Verdict.STALLED},
    ),
    "Atomics.wait": Attack(
        "Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0)", FAILED | HUNG
    ),
    "import of a file": Attack("import x from '/etc/passwd'; export default x", FAILED),
    "dynamic import of a file": Attack("export default import('/etc/passwd')", FAILED),
    "dynamic import of itself": Attack("export default import('workflow.js')", FAILED | {Verdict.STALLED}),
    "dynamic import of an address": Attack("export default import('https://example.com/x.js')", FAILED),
    "dynamic imports without end": Attack("for (;;) try { await import('x') } catch {}", HUNG | FULL),
    "words of a time-out": Attack(
        "throw Object.assign(new Error('interrupted'), { kind: 'timeout', name: 'InternalError' })", FAILED
    ),
    "words of a full memory": Attack(
        "throw Object.assign(new RangeError('out of memory'), { kind: 'memory' })", FAILED
    ),
}  # fmt: skip


def _unhurried(attacks: dict[str, Attack]) -> dict[str, Attack]:
    return {name: replace(attack, limits=UNHURRIED | attack.limits) for name, attack in attacks.items()}


FAMILIES: dict[str, dict[str, Attack]] = {
    "natives": NATIVES,
    "swallowers": SWALLOWERS,
    "memory": _unhurried(MEMORY),
    "recursion": _unhurried(RECURSION),
    "floods": FLOODS,
    "stalls": STALLS,
}
