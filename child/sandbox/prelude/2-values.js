// How values leave the sandbox: by JSON's rules, at the moment of the call, within bounds.

const MAX_VALUES = 900000; // the wire carries a million in one message
const MAX_DEPTH = 500;

const quote = (string) => stringify(string);

// The JSON text of a value, 'null' for what JSON drops. Throws TypeError for cycles and BigInts, RangeError
// for what is too large to cross, and whatever a getter or toJSON of the workflow throws.
function encode(value) {
  if (failure !== undefined) throw new NativeRangeError(failure.message);
  if (!isObject(value)) return encodePrimitive(value);
  const text = isPolluted() ? encodeSlowly(value, '', undefined, countValues()) : stringify(value, guard());
  return text === undefined ? 'null' : text;
}

const encodePrimitive = (value) => (typeof value === 'bigint' ? encode(thaw(value)) : stringify(value) ?? 'null');

function countValues() {
  let count = 0;
  return () => {
    count += 1;
    if (count > MAX_VALUES) throw new NativeRangeError(`more than ${MAX_VALUES} values`);
  };
}

const tooDeep = () => new NativeRangeError(`nested more than ${MAX_DEPTH} levels deep`);

// A replacer that changes nothing and counts. It also lets the engine look at the clock: JSON.stringify
// alone never does, and forty arrays that each hold the next one twice have a trillion leaves.
function guard() {
  const count = countValues();
  const holders = { __proto__: null };
  let depth = 0;
  return function replacer(key, value) {
    count();
    if (isObject(value)) {
      notePromise(key, value);
      while (depth > 0 && holders[depth] !== this) depth -= 1;
      depth += 1;
      if (depth > MAX_DEPTH) throw tooDeep();
      holders[depth] = value;
    }
    return value;
  };
}

// JSON makes {} of a promise; whoever put it there wanted what it promises.
function notePromise(key, value) {
  if (getPrototypeOf(value) !== NativePromise.prototype) return;
  const where = key === '' ? 'a value' : `the member ${quote(key)} of a value`;
  diagnose('promise_in_value', `${where} is a promise and crosses as {}; await it first`);
}

// JSON.stringify asks every object for toJSON through its prototypes. One that was planted on
// Object.prototype or Array.prototype would speak for every object there is.
const isPolluted = () => getOwnPropertyDescriptor(ObjectPrototype, 'toJSON') !== undefined
  || getOwnPropertyDescriptor(ArrayPrototype, 'toJSON') !== undefined
  || getPrototypeOf(ArrayPrototype) !== ObjectPrototype
  // The engine's JSON.stringify keeps its stack in an array and pushes with [[Set]]; indices come first.
  || ownKeys(ArrayPrototype)[0] !== 'length';

// SerializeJSONProperty (ECMA-262, 25.5.2.2) with one change: the two polluted prototypes are not asked.
function encodeSlowly(given, key, above, count) {
  count();
  const value = unwrap(applyToJSON(given, key));
  if (isObject(value)) notePromise(key, value);
  if (typeof value === 'bigint') return encodePrimitive(value);
  if (!isObject(value)) return stringify(value);
  if (typeof value === 'function') return undefined;
  const node = { __proto__: null, value, above, depth: above === undefined ? 1 : above.depth + 1 };
  if (node.depth > MAX_DEPTH) throw tooDeep();
  for (let other = above; other !== undefined; other = other.above) {
    if (other.value === value) throw new NativeTypeError('circular reference');
  }
  // One function a level: the deepest value that may cross must fit the stack.
  const isList = isArray(value);
  const names = isList ? value : keys(value);
  const { length } = names;
  let text = '';
  for (let i = 0; i < length; i++) {
    const name = isList ? `${i}` : names[i];
    const item = encodeSlowly(value[name], name, node, count);
    if (isList) text += `${i ? ',' : ''}${item === undefined ? 'null' : item}`;
    else if (item !== undefined) text += `${text && ','}${quote(name)}:${item}`;
  }
  return isList ? `[${text}]` : `{${text}}`;
}

function applyToJSON(value, key) {
  if (!isObject(value)) return value;
  for (let holder = value; holder !== null; holder = getPrototypeOf(holder)) {
    // What is above these two was put there, and would speak for all arrays.
    if (holder === ObjectPrototype || holder === ArrayPrototype) return value;
    if (getOwnPropertyDescriptor(holder, 'toJSON') === undefined) continue;
    const { toJSON } = value;
    return typeof toJSON === 'function' ? apply(toJSON, value, [key]) : value;
  }
  return value;
}

// A BigInt speaks only for itself: through a toJSON that somebody gave to BigInts, not to all objects.
function thaw(bigint) {
  const toJSON = own(getPrototypeOf(toObject(bigint)), 'toJSON');
  if (typeof toJSON !== 'function') throw new NativeTypeError('BigInt are forbidden in JSON.stringify');
  const value = apply(toJSON, bigint, ['']);
  if (typeof value === 'bigint') throw new NativeTypeError('BigInt are forbidden in JSON.stringify');
  return value;
}

const primitiveOf = [Number.prototype.valueOf, String.prototype.valueOf, Boolean.prototype.valueOf];

// The primitive in a Number, String or Boolean object.
function unwrap(value) {
  if (!isObject(value)) return value;
  for (let i = 0; i < primitiveOf.length; i++) {
    try {
      return apply(primitiveOf[i], value, []);
    } catch {
      // another kind of object
    }
  }
  return value;
}
