// parallel and pipeline: many at once, in order, with null where one failed.
//
// `return await` is meant: a bare return of a promise would look up its `then`, which may not be ours.

async function parallel(tasks) {
  requireFunctions('parallel(tasks)', 'task', tasks);
  const started = { __proto__: null };
  for (let i = 0; i < tasks.length; i++) started[i] = runTask(tasks[i], i);
  return await collect(started, tasks.length);
}

async function pipeline(items, ...stages) {
  if (!isArray(items)) {
    throw new NativeTypeError(`pipeline(items, ...stages) takes an array of items, not ${kindOf(items)}; `
      + 'write pipeline([1, 2], (item) => agent(`Look at ${item}`), (answer, item) => answer)');
  }
  requireFunctions('pipeline(items, ...stages)', 'stage', stages);
  const started = { __proto__: null };
  const { length } = items;
  for (let i = 0; i < length; i++) started[i] = runStages(items[i], i, stages);
  return await collect(started, length);
}

async function runTask(task, index) {
  try {
    return await task();
  } catch (error) {
    swallowed('parallel', index, error);
    return null;
  }
}

async function runStages(item, index, stages) {
  let value = item;
  try {
    for (let i = 0; i < stages.length; i++) {
      const stage = stages[i];
      value = await stage(value, item, index);
    }
    return await value; // without stages it is the item itself, which may be a promise
  } catch (error) {
    swallowed('pipeline', index, error);
    return null;
  }
}

// All were started; awaiting them in turn ends when the slowest does.
async function collect(started, length) {
  const results = [];
  for (let i = 0; i < length; i++) put(results, i, await started[i]);
  return results;
}

const example = 'pass functions, such as [() => agent("…"), () => agent("…")]';

function requireFunctions(call, noun, list) {
  if (!isArray(list)) throw new NativeTypeError(`${call} takes an array of functions, not ${kindOf(list)}; ${example}`);
  for (let i = 0; i < list.length; i++) {
    if (typeof list[i] !== 'function') {
      throw new NativeTypeError(
        `${call}: ${noun} ${i} is ${kindOf(list[i])}; ${example}`);
    }
  }
}
