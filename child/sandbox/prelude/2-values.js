// Encodes values that leave the sandbox: by JSON's rules, at the moment of the call, within bounds.

const MAX_VALUES = 900000; // the wire carries a million in one message
const MAX_DEPTH = 500;

const quote = (string) => stringify(string);

// The JSON text of a value, 'null' for what JSON drops. Throws a TypeError for cycles and BigInts, a RangeError for
// what is too large to cross, and what a getter or a toJSON of the workflow throws.
//
// Values that JSON drops or empties are noted in the diagnostics if `root` tells what the value is (3-losses.js).
function encode(value, root) {
  if (failure !== undefined) throw new NativeRangeError(failure.message);
  if (!isObject(value)) return encodePrimitive(value, root);
  const text = isPolluted() ? encodeSlowly(value, '', undefined, countValues(), root) : stringify(value, guard(root));
  return text === undefined ? 'null' : text;
}

function encodePrimitive(value, root) {
  if (typeof value === 'bigint') return encode(jsonOfBigInt(value), root);
  if (root !== undefined && isLostPrimitive(value)) noteLoss(root, undefined, value);
  return stringify(value) ?? 'null';
}

// As `encode`, for the result of the run: one that has no JSON at all is an error.
function encodeResult(value) {
  if (typeof value === 'symbol') throw new NativeTypeError('a symbol has no JSON; return its description');
  return encode(value, RESULT);
}

function countValues() {
  let count = 0;
  return () => {
    count += 1;
    if (count > MAX_VALUES) throw new NativeRangeError(`more than ${MAX_VALUES} values`);
  };
}

const tooDeep = () => new NativeRangeError(`nested more than ${MAX_DEPTH} levels deep`);

// A replacer that changes nothing, counts values and bounds their depth. It also makes the engine poll its interrupt
// handler, which JSON.stringify alone never does: forty arrays that each hold the next one twice have 10^12 leaves.
function guard(root) {
  const count = countValues();
  const way = { __proto__: null }; // way[2n]: the nth holder; way[2n + 1]: its name in the holder before
  let depth = 0;
  return function replacer(key, value) {
    count();
    const type = typeof value; // first the values that lose nothing: there can be millions
    if (type === 'string' || (type === 'number' && value - value === 0) || value === null || type === 'boolean'
      || type === 'undefined') return value;
    if (type === 'object' || type === 'function') {
      while (depth > 0 && way[2 * depth] !== this) depth -= 1;
      depth += 1;
      if (depth > MAX_DEPTH) throw tooDeep();
      way[2 * depth] = value;
      way[2 * depth + 1] = key;
      if (root !== undefined && isUnusual(value)) noteLoss(root, pathOf(way, depth), value);
    } else if (root !== undefined && isLostPrimitive(value)) {
      while (depth > 0 && way[2 * depth] !== this) depth -= 1;
      way[2 * depth + 3] = key;
      noteLoss(root, pathOf(way, depth + 1), value);
    }
    return value;
  };
}

// The path from the root to the value that was met last: its own name, and the path of its holder.
function pathOf(way, depth) {
  let path;
  for (let i = 2; i <= depth; i++) {
    path = { __proto__: null, name: way[2 * i + 1], above: path, isIndex: isArray(way[2 * i - 2]) };
  }
  return path;
}

// JSON.stringify looks up toJSON through the prototypes of every object. A workflow that sets it on Object.prototype or
// Array.prototype would change the text of every object.
const isPolluted = () => getOwnPropertyDescriptor(ObjectPrototype, 'toJSON') !== undefined
  || getOwnPropertyDescriptor(ArrayPrototype, 'toJSON') !== undefined
  || getPrototypeOf(ArrayPrototype) !== ObjectPrototype
  // The engine's JSON.stringify keeps its stack in an array and pushes with [[Set]], which a setter on an index
  // observes; indices come before 'length' in ownKeys.
  || ownKeys(ArrayPrototype)[0] !== 'length';

// SerializeJSONProperty (ECMA-262, 25.5.2.2) with one change: no toJSON is read from the two polluted prototypes.
function encodeSlowly(given, key, above, count, root) {
  count();
  const value = unwrap(applyToJSON(given, key));
  if (root !== undefined && (isObject(value) ? isUnusual(value) : isLostPrimitive(value))) {
    noteLoss(root, stepBelow(above, key), value);
  }
  if (typeof value === 'bigint') return encodePrimitive(value);
  if (!isObject(value)) return stringify(value);
  if (typeof value === 'function') return undefined;
  const depth = above === undefined ? 1 : above.depth + 1;
  const node = { __proto__: null, value, above, depth, path: stepBelow(above, key) };
  if (node.depth > MAX_DEPTH) throw tooDeep();
  for (let other = above; other !== undefined; other = other.above) {
    if (other.value === value) throw new NativeTypeError('circular reference');
  }
  // One function for each level, so that a value of MAX_DEPTH levels fits the stack.
  const isList = isArray(value);
  const names = isList ? value : keys(value);
  const { length } = names;
  let text = '';
  for (let i = 0; i < length; i++) {
    const name = isList ? `${i}` : names[i];
    const item = encodeSlowly(value[name], name, node, count, root);
    if (isList) text += `${i ? ',' : ''}${item === undefined ? 'null' : item}`;
    else if (item !== undefined) text += `${text && ','}${quote(name)}:${item}`;
  }
  return isList ? `[${text}]` : `{${text}}`;
}

// The step of a path from the node that holds a value; undefined for the root.
function stepBelow(node, name) {
  return node === undefined ? undefined : { __proto__: null, name, above: node.path, isIndex: isArray(node.value) };
}

function applyToJSON(value, key) {
  if (!isObject(value)) return value;
  for (let holder = value; holder !== null; holder = getPrototypeOf(holder)) {
    // What is above these two was put there by the workflow, and would apply to all arrays.
    if (holder === ObjectPrototype || holder === ArrayPrototype) return value;
    if (getOwnPropertyDescriptor(holder, 'toJSON') === undefined) continue;
    const { toJSON } = value;
    return typeof toJSON === 'function' ? apply(toJSON, value, [key]) : value;
  }
  return value;
}

// What toJSON of BigInts returns for a BigInt. Only one of BigInt.prototype counts, not one for all objects.
function jsonOfBigInt(bigint) {
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
