"""What hypothesis draws workflow programs from: good ones, broken ones and hostile ones.

Nothing here runs long in one native call: the watchdog cannot stop such a call, only the kernel can.
"""

from __future__ import annotations

from typing import TypeAlias

from hypothesis import strategies as st

Text: TypeAlias = st.SearchStrategy[str]

PROLOGUE = """\
const list = [3, 10, 1, 2], map = new Map([["b", 1], ["a", 2]]), set = new Set([2, "2", 1]);
const object = { b: 1, a: 2, 10: 3, 9: 4, [Symbol("s")]: 5 }, closures = [];
let n = 0, text = "Aé𝒳\\0\\u2028\\ud800";
"""

# ---- good programs ---------------------------------------------------------------------------

_LITERALS = """
    0 -0 0.1+0.2 1e21 123456789012345680000 5e-324 2**53 1/3 -1/0 NaN null undefined true "" "b" [,1] /(a)|b/g
"""
_NAMES = """
    n text list object map set closures args args.a args?.b?.c [...map] [...set] [...text] list.length
    budget.total budget.spent() budget.remaining() Object.keys(object) Object.entries({...object})
    Reflect.ownKeys(object).length Symbol.iterator new(Error)("made").stack
    Object.getOwnPropertyNames(globalThis)
"""
_LEAVES = st.sampled_from(_LITERALS.split() + _NAMES.split())
_WRAPPERS = st.sampled_from(
    [
        "JSON.stringify({0})",
        "JSON.stringify([{0}, {{b: {1}, a: 1}}], null, 1)",
        "String({0})",
        "typeof {0}",
        "[{0}, {1}]",
        "({{ z: {0}, a: {1}, 1: 0, 0: 1 }})",
        "[{0}, {1}, 10, 9, 1].sort()",
        "[5, 1, 4].sort((x, y) => y - x).concat({0})",
        "Object.entries(Object({0})).flat(2)",
        "Object.groupBy([1, 2, 3], (x) => (x % 2 ? 'odd' : {0}))",
        "Number({0}).toFixed(3)",
        "Number({0}).toPrecision(17)",
        "Number({0}).toString(7)",
        "Number({0}).toLocaleString()",
        "Math.sin(Number({0})) + Math.pow(1.1, Number({1}))",
        "String({0}).replace(/(\\w)(\\d?)/g, (all, a, b) => `<${{b}}${{a}}>`)",
        "[...String({0}).matchAll(/(?<first>.)\\w*/gsu)].map((m) => [m.index, {{ ...m.groups }}])",
        "[...String({0})].sort((a, b) => a.localeCompare(b)).join('')",
        "String({0}).normalize('NFD').toUpperCase().split('').reverse()",
        "Array.from(String({0}), (c) => c.codePointAt(0))",
        "(() => {{ try {{ return null.x; }} catch (e) {{ return [e.name, e.message, e.stack]; }} }})()",
        "(() => {{ let deep = 0; const dive = () => {{ deep += 1; dive(); }};"
        " try {{ dive(); }} catch (e) {{ return [e.message, deep]; }} }})()",
        "await agent(String({0}))",
        "await agent('ask', {{ label: String({0}), extra: {1} }})",
        "await parallel([async () => {0}, () => agent('first'), async () => {1}])",
        "await pipeline([{0}, 2], (x, item, i) => agent(`stage ${{i}}`), async (x) => [x, {1}])",
        "await Promise.allSettled([agent('a'), {0}, Promise.reject({1})])",
        "await Promise.race([workflow('other', {0}), agent('b')])",
        "await SW.sandbox.exec('shell', {{ command: String({0}), env: {{ b: '1', a: '2' }} }})",
    ]
)
_STATEMENTS = st.sampled_from(
    [
        "log({0}, {1});",
        "phase(String({0}), {{ detail: {1} }});",
        "n += 1; map.set(String({0}), n); set.add({1});",
        "map.delete('b'); map.set('b', {0}); log([...map.keys()], [...set].length);",
        "object[String({0})] = n; delete object.a; object.a = {1};",
        "for (const name in object) log(name, n++);",
        "for (const [key, value] of [...map]) log(key, value, {0});",
        "closures.push(((x) => () => [x, n])({0})); log(closures.map((f) => f()));",
        "list.push(n); list.sort(); text += String({0}).slice(0, 9);",
        "await SW.extra.sleep(n * 1.5);",
        "agent('floating', {{ misspelt: {0} }});",
        "Promise.reject(new Error(String({0})));",
        "Promise.resolve({0}).then((value) => log('later', value));",
        "try {{ throw new TypeError(String({0}), {{ cause: {1} }}); }}"
        " catch (e) {{ log(e.name, e.message, e.stack, e.cause); }}",
        "try {{ log({0}.x.y); }} catch (e) {{ log(String(e), e.stack); }} finally {{ n++; }}",
        "if (n > 2) throw new RangeError(String({0}));",
        "throw {0};",
    ]
)
_BLOCKS = st.sampled_from(
    [
        "for (let i = 0; i < 3; i++) {{ {0} }}",
        "try {{ {0} }} catch (e) {{ log('caught', String(e), e?.stack); }}",
        "await parallel([1, 2].map((i) => async () => {{ {0} }}));",
        "if (n % 2) {{ {0} }} else {{ {1} }}",
        "await (async () => {{ {0} }})();",
    ]
)


def _filled(templates: Text, inner: Text) -> Text:
    return st.builds(lambda template, a, b: template.format(a, b), templates, inner, inner)


def expressions() -> Text:
    """One expression, perhaps with `await` in it."""
    return st.recursive(_LEAVES, lambda inner: _filled(_WRAPPERS, inner), max_leaves=4)


def statements() -> Text:
    """One statement for the top level or an async function."""
    simple = _filled(_STATEMENTS, expressions())
    return st.recursive(simple, lambda inner: _filled(_BLOCKS, inner), max_leaves=3)


@st.composite
def programs(draw: st.DrawFn) -> str:
    """A whole workflow, in any dialect."""
    body = "\n".join(draw(st.lists(statements(), max_size=4)))
    result = draw(expressions())
    forms = [
        f"{PROLOGUE}{body}\nexport default {result};",
        f"export default async (args, ctx) => {{\n{PROLOGUE}{body}\nreturn {result};\n}};",
        f"export const meta = {{ name: 'generated' }};\n{PROLOGUE}{body}\nreturn {result};",
        f"import {{ sleep }} from 'workflow:extra';\n{PROLOGUE}{body}\nexport default sleep(1);",
    ]
    return draw(st.sampled_from(forms))


# ---- broken ones -----------------------------------------------------------------------------

_WORDS = """
    export default import from meta return await async function* function class extends super static new
    const let var if else for of in while do break continue try catch finally throw yield typeof delete void
    ( ) { } [ ] => ... . ?. ?? , ; : = == + - * ** / % ! ~ & | < > ` ${ ' " \\ # @ // /* */ <!-- #!
    /x/ /( a b args agent('x') log(1) parallel pipeline phase SW this null 0 1n 0x 1e3 .5 `t` 'workflow:extra'
    get set async* #p label: {} [] () é 𝒳 \\u{41} debugger with(args) enum
"""
_TOKENS = st.sampled_from([*_WORDS.split(), "\n", "\u2028", "\ufeff", "\0"])


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A workflow out of which a piece was cut, or into which another was put."""
    source = draw(programs())
    start = draw(st.integers(0, len(source)))
    end = draw(st.integers(start, min(len(source), start + 40)))
    inserted = draw(st.just("") | _TOKENS | st.text(max_size=3))
    return source[:start] + inserted + source[end:]


def token_soup() -> Text:
    """Words of the language in any order."""
    return st.lists(_TOKENS, max_size=25).map(" ".join)


# ---- hostile ones ----------------------------------------------------------------------------

_HOSTILE = """
for (;;) {}
for (;;) try { for (;;) {} } catch {}
await parallel([async () => { for (;;) {} }, () => agent('after')]);
(function spin() { Promise.resolve().then(spin); })(); await 0; await agent('spun');
for (;;) await 0;
for (;;) log('x'.repeat(1e5));
for (;;) agent('flood');
for (;;) try { log(1); agent('kept'); } catch {}
for (let i = 0; i < 1e4; i++) Promise.reject(i);
/^(a+)+$/.test('a'.repeat(40) + 'b');
const dive = () => dive(); dive();
const dive = async () => { await dive(); }; await dive();
const deeper = (x) => [deeper(x)]; try { deeper(1); } catch (e) { log(e); }
let deep = []; for (let i = 0; i < 1e5; i++) deep = [deep]; log(deep);
let deep = {}; for (let i = 0; i < 1e5; i++) deep = { deep }; await agent('x', deep);
let twice = []; for (let i = 0; i < 40; i++) twice = [twice, twice]; log(twice);
const held = []; for (;;) held.push('y'.repeat(1e5) + held.length);
const held = []; for (;;) try { for (;;) held.push({ a: [held.length] }); } catch { held.length -= 1; }
let long = 'z'; for (;;) long += long;
const cycle = {}; cycle.self = cycle; log(cycle);
const cycle = []; cycle.push(cycle); await agent('x', { cycle });
log({ get x() { throw new Error('getter'); } });
log({ get x() { for (;;) {} } });
log({ toJSON() { throw null; } });
log({ toJSON() { return this; } }, { toJSON: () => 1n }, { toJSON: 7 }, 1n);
throw { get message() { throw 1; }, get name() { for (;;) {} }, get stack() { return 7; } };
throw Object.assign(new Error('c'), { cause: { get cause() { throw 2; } } });
const e = new Error('own cause'); e.cause = e; throw e;
throw new AggregateError([new AggregateError([null, 1n]), Symbol('s')], 'many');
throw null;
throw undefined;
throw Symbol('thrown');
throw new Proxy({}, { get() { throw new Proxy({}, {}); } });
throw new Proxy(function () {}, { getPrototypeOf() { for (;;) {} } });
throw Object.create(null);
Object.prototype.toJSON = () => { throw 1; };
Object.prototype.then = function (resolve) { resolve(this); };
Object.defineProperty(Object.prototype, 'value', { get() { return 1; }, set() { throw 2; } });
for (const name of ['get', 'set', 'kind', 'id', 'text', 'key', 'options']) Object.prototype[name] = log;
Object.defineProperty(Array.prototype, 0, { set() { throw 3; }, get() { return 4; } });
Array.prototype[Symbol.iterator] = function* () { yield agent; };
delete Array.prototype.map; delete Array.prototype[Symbol.iterator];
Array.prototype.toJSON = function () { return agent('from toJSON'); };
Promise.prototype.then = () => { throw 5; };
Promise.resolve = Promise.all = () => 1;
Object.defineProperty(Promise, Symbol.species, { value: function () {} });
JSON.stringify = JSON.parse = () => '}';
String.prototype.slice = String.prototype.indexOf = () => '"';
Function.prototype.call = Function.prototype.apply = Function.prototype.bind = () => 1;
for (const name of Object.getOwnPropertyNames(globalThis)) try { delete globalThis[name]; } catch {}
for (const name of ['Error', 'TypeError', 'Promise', 'JSON', 'Object']) try { globalThis[name] = 1; } catch {}
Error.prepareStackTrace = () => { for (;;) {} }; Error.stackTraceLimit = -1;
Error.prototype.name = 'x'.repeat(1e5); Error.prototype.message = '\\ud800'; null.x;
Object.freeze(Object.prototype); Object.freeze(Array.prototype); Object.freeze(globalThis);
Object.setPrototypeOf(globalThis, new Proxy({}, { get() { for (;;) {} }, has() { return true; } })); missing;
new Proxy(args ?? {}, { ownKeys() { for (;;) {} } }) + log(new Proxy({}, { ownKeys() { throw 6; } }));
await { then(resolve, reject) { reject({ then: 1 }); throw 7; } };
await { then() { for (;;) {} } };
await new Promise(() => {});
await Promise.any([agent('a'), agent('b')]);
await import('fs');
log(await import('workflow:extra'), await import('workflow:sandbox'));
await SW.extra.sleep(0); for (;;) await SW.extra.sleep(0);
await SW.extra.sleep(1e300);
await SW.sandbox.exec('p', { command: 'c', get args() { throw 8; }, env: { a: 1 } });
await workflow({ scriptPath: 'x', toString() { throw 9; } }, { toJSON() { log('in'); return 1; } });
agent('x', { toJSON() { return 'no object'; } });
agent({ prompt: 'x' });
phase('p', []); phase(Symbol());
phase('\\ud800\\0\\u2028"\\n'); log('\\udfff', '\\n{"jsonrpc":"2.0","id":1,"result":{}}\\n'); agent('\\n\\n');
log(...Array.from({ length: 5000 }, (_, i) => i));
log('q'.repeat(3e5)); agent('q'.repeat(3e5));
(function () {}).constructor('return 1')();
(async function* () {}).constructor('yield 1')();
class Odd extends Promise { constructor(f) { super(f); throw 10; } } await new Odd(() => {}).then();
const g = (function* () { try { yield 1; } finally { for (;;) {} } })(); g.next(); g.return();
""".strip().split("\n")


@st.composite
def hostile(draw: st.DrawFn) -> str:
    """A workflow with one to three attacks in it, perhaps amid ordinary work."""
    attacks = draw(st.lists(st.sampled_from(_HOSTILE), min_size=1, max_size=3))
    caught = draw(st.booleans())
    blocks = [
        f"try {{ {attack} }} catch (e) {{ log(e); }}" if caught else f"{{ {attack} }}" for attack in attacks
    ]
    body = "\n".join(draw(st.permutations([*blocks, draw(statements())])))
    forms = [
        f"{PROLOGUE}{body}\nexport default {draw(expressions())};",
        f"export default async () => {{\n{PROLOGUE}{body}\n}};",
        f"{PROLOGUE}{body}\nreturn {draw(expressions())};",
    ]
    return draw(st.sampled_from(forms))
