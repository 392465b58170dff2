// The language as it was before any workflow code ran. The rest of the prelude uses these names only:
// a workflow may redefine every property it can reach, and must not change what the helpers do.
//
// Habits that follow. No `for…of`, array destructuring or spread (they look up Symbol.iterator); lists of
// our own have no prototype (a setter on Array.prototype[0] would see what we store); and properties of
// workflow objects are read as own properties, unless running their getters is the point.
const NativePromise = Promise;
const NativeProxy = Proxy;
const NativeError = Error;
const NativeTypeError = TypeError;
const NativeRangeError = RangeError;
const NativeString = String;
const toObject = Object;
const InternalErrorPrototype = InternalError.prototype;
const ReferenceErrorPrototype = ReferenceError.prototype;
const ObjectPrototype = Object.prototype;
const ArrayPrototype = Array.prototype;
const { apply, defineProperty, getOwnPropertyDescriptor, getPrototypeOf, ownKeys, setPrototypeOf } = Reflect;
const { freeze, hasOwn, keys } = Object;
const { isArray } = Array;
const { isFinite } = Number;
const { ceil } = Math;
const { parse, stringify } = JSON;
const { isError } = Error;
const uncurry = (method) => (self, a, b) => apply(method, self, [a, b]);
const { from: toIterator } = Iterator;
const mapIterator = uncurry(Iterator.prototype.map);
const slice = uncurry(String.prototype.slice);
const indexOf = uncurry(String.prototype.indexOf);
const readStack = uncurry(getOwnPropertyDescriptor(Error.prototype, 'stack').get);
const recallRequest = uncurry(WeakMap.prototype.get);
const rememberRequest = uncurry(WeakMap.prototype.set);

const isObject = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function';

// The value of an own data property; undefined for anything else, so that no getter runs.
function own(object, name) {
  const descriptor = getOwnPropertyDescriptor(object, name);
  return descriptor !== undefined && hasOwn(descriptor, 'value') ? descriptor.value : undefined;
}

// A property that nothing can change, whatever Object.prototype.get has become.
function lock(object, name, value, enumerable = true) {
  defineProperty(object, name, { __proto__: null, value, enumerable, writable: false, configurable: false });
}

// As `lock`, for a prototype: what inherits from it can still be given a property of that name. Over a read-only
// data property an assignment throws in strict code, also one to an instance ("override mistake").
function lockInherited(prototype, name, value) {
  const { set } = getOwnPropertyDescriptor({
    set [name](given) {
      const accepted = this !== prototype && defineProperty(this, name, {
        __proto__: null, value: given, enumerable: true, writable: true, configurable: true,
      });
      if (!accepted) throw new NativeTypeError(`'${name}' is read-only`);
    },
  }, name);
  const get = () => value;
  defineProperty(prototype, name, {
    __proto__: null, get: freeze(get), set: freeze(set), enumerable: false, configurable: false,
  });
}

// A property as the language gives one to its errors.
function setHidden(object, name, value) {
  defineProperty(object, name, { __proto__: null, value, enumerable: false, writable: true, configurable: true });
}

// A list of our own: an array, which the engine grows fast, that inherits nothing.
function makeList() {
  const list = [];
  setPrototypeOf(list, null);
  return list;
}

function put(array, index, value) {
  defineProperty(array, index, {
    __proto__: null, value, enumerable: true, writable: true, configurable: true,
  });
}

// Freezes plain data to its leaves; the data came from JSON, so it has no cycles and bounded depth.
function deepFreeze(value) {
  if (isObject(value)) {
    const names = ownKeys(value);
    for (let i = 0; i < names.length; i++) deepFreeze(value[names[i]]);
    freeze(value);
  }
  return value;
}
