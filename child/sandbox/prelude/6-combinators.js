// parallel and pipeline: run functions at once and collect their results in order, with null where one failed.
//
// `return await` is needed: a bare return of a promise looks up its `then`, which the workflow may have replaced.

async function parallel(tasks) {
  const functions = copyFunctions('parallel(tasks)', 'task', tasks);
  const started = makeList();
  const tally = { __proto__: null, failed: 0 };
  for (let i = 0; i < functions.length; i++) started[i] = runTask(functions[i], i, tally);
  return await collect('parallel', started, functions.length, tally);
}

async function pipeline(items, ...stages) {
  if (!isArray(items)) {
    throw new NativeTypeError(`pipeline(items, ...stages) takes an array of items, not ${kindOf(items)}; `
      + 'write pipeline([1, 2], (item) => agent(`Look at ${item}`), (answer, item) => answer)');
  }
  const functions = copyFunctions('pipeline(items, ...stages)', 'stage', stages);
  const started = makeList();
  const { length } = items;
  const tally = { __proto__: null, failed: 0 };
  for (let i = 0; i < length; i++) started[i] = runStages(items[i], i, functions, tally);
  return await collect('pipeline', started, length, tally);
}

async function runTask(task, index, tally) {
  try {
    return await task();
  } catch (error) {
    tally.failed += 1;
    noteSwallowedError('parallel', index, error);
    return null;
  }
}

async function runStages(item, index, stages, tally) {
  let value = item;
  try {
    for (let i = 0; i < stages.length; i++) {
      const stage = stages[i];
      value = await stage(value, item, index);
    }
    return await value; // without stages it is the item itself, which may be a promise
  } catch (error) {
    tally.failed += 1;
    noteSwallowedError('pipeline', index, error);
    return null;
  }
}

// Awaits promises one after the other, which takes as long as the slowest: all of them were started before.
async function collect(helper, started, length, tally) {
  const results = [];
  for (let i = 0; i < length; i++) put(results, i, await started[i]);
  if (length > 0 && tally.failed === length) allFailed(helper, length);
  return results;
}

const example = 'pass functions, such as [() => agent("…"), () => agent("…")]';

// Checks and copies a list in one pass, so that a task that changes the list does not change what runs.
function copyFunctions(call, noun, list) {
  if (!isArray(list)) throw new NativeTypeError(`${call} takes an array of functions, not ${kindOf(list)}; ${example}`);
  const functions = makeList();
  const { length } = list;
  for (let i = 0; i < length; i++) {
    functions[i] = list[i];
    if (typeof functions[i] !== 'function') {
      throw new NativeTypeError(
        `${call}: ${noun} ${i} is ${kindOf(functions[i])}; ${example}`);
    }
  }
  return functions;
}
