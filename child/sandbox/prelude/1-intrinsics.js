// The intrinsics, captured before any code of a workflow runs. The rest of the prelude uses these names only: a
// workflow can redefine every property that it reaches, and must not change what the helpers do by that.
//
// Rules for the whole prelude that follow from it: no `for…of`, array destructuring or spread, which look up
// Symbol.iterator; the prelude's own lists have no prototype, because a setter on Array.prototype[0] would be called
// for what is stored; properties of workflow objects are read as own properties, except where their getters shall run.
//
// The files are one function body, in the order of their names (`prelude_source.py`).
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

// The value of an own data property; undefined for any other, so that no getter runs.
function own(object, name) {
  const descriptor = getOwnPropertyDescriptor(object, name);
  return descriptor !== undefined && hasOwn(descriptor, 'value') ? descriptor.value : undefined;
}

// Defines a property that nothing can change. Descriptors have no prototype: a workflow may set Object.prototype.get.
function lock(object, name, value, enumerable = true) {
  defineProperty(object, name, { __proto__: null, value, enumerable, writable: false, configurable: false });
}

// As `lock`, for a prototype, by an accessor: an object that inherits from it can still be assigned a property of that
// name. A read-only data property would make such an assignment throw in strict code (the "override mistake").
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

// Defines a property with the attributes that the language gives to those of its errors.
function setHidden(object, name, value) {
  defineProperty(object, name, { __proto__: null, value, enumerable: false, writable: true, configurable: true });
}

// A list of the prelude's own: an array, which the engine grows fast, without a prototype.
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

// Freezes plain data to its leaves. The data comes from JSON, so it has no cycles and its depth is bounded.
function deepFreeze(value) {
  if (isObject(value)) {
    const names = ownKeys(value);
    for (let i = 0; i < names.length; i++) deepFreeze(value[names[i]]);
    freeze(value);
  }
  return value;
}
