// How values leave the sandbox: by JSON's rules, at the moment of the call.

// JSON.stringify asks every object for toJSON through its prototypes. One that was planted on
// Object.prototype or Array.prototype would speak for every object there is.
const isPolluted = () => getOwnPropertyDescriptor(ObjectPrototype, 'toJSON') !== undefined
  || getOwnPropertyDescriptor(ArrayPrototype, 'toJSON') !== undefined;

// The JSON text of a value, 'null' for what JSON drops. Throws TypeError for cycles and BigInts, and
// whatever a getter or toJSON of the workflow throws.
function encode(value) {
  const text = isPolluted() ? encodeSlowly(value, '', undefined) : stringify(value);
  return text === undefined ? 'null' : text;
}

const quote = (string) => stringify(string);

// SerializeJSONProperty (ECMA-262, 25.5.2.2) with one change: the two polluted prototypes are not asked.
function encodeSlowly(value, key, above) {
  value = applyToJSON(value, key);
  if (!isObject(value)) return stringify(value);
  if (typeof value === 'function') return undefined;
  if (isWrapper(value)) return stringify(value);
  for (let node = above; node !== undefined; node = node.above) {
    if (node.value === value) throw new NativeTypeError('circular reference');
  }
  const node = { __proto__: null, value, above };
  return isArray(value) ? encodeArray(value, node) : encodeObject(value, node);
}

function encodeArray(array, node) {
  let text = '[';
  for (let i = 0; i < array.length; i++) {
    const item = encodeSlowly(array[i], `${i}`, node);
    text += (i ? ',' : '') + (item === undefined ? 'null' : item);
  }
  return `${text}]`;
}

function encodeObject(object, node) {
  let text = '';
  const names = keys(object);
  for (let i = 0; i < names.length; i++) {
    const item = encodeSlowly(object[names[i]], names[i], node);
    if (item !== undefined) text += `${text && ','}${quote(names[i])}:${item}`;
  }
  return `{${text}}`;
}

function applyToJSON(value, key) {
  if (!isObject(value)) return value;
  for (let holder = value; holder !== null; holder = getPrototypeOf(holder)) {
    if (holder === ObjectPrototype || holder === ArrayPrototype) continue;
    const descriptor = getOwnPropertyDescriptor(holder, 'toJSON');
    if (descriptor === undefined) continue;
    const { toJSON } = value;
    return typeof toJSON === 'function' ? apply(toJSON, value, [key]) : value;
  }
  return value;
}

const wrapperPrototypes = [Number.prototype, String.prototype, Boolean.prototype];

function isWrapper(value) {
  const prototype = getPrototypeOf(value);
  for (let i = 0; i < wrapperPrototypes.length; i++) {
    if (prototype === wrapperPrototypes[i]) return true;
  }
  return false;
}
