// parallel and pipeline: many at once, in order, with null where one failed.
//
// `return await` is meant: a bare return of a promise would look up its `then`, which may not be ours.

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

// All were started; awaiting them in turn ends when the slowest does.
async function collect(helper, started, length, tally) {
  const results = [];
  for (let i = 0; i < length; i++) put(results, i, await started[i]);
  if (length > 0 && tally.failed === length) allFailed(helper, length);
  return results;
}

const example = 'pass functions, such as [() => agent("…"), () => agent("…")]';

// Checked and copied in one go: what runs is what was checked, whatever a task does to the list meanwhile.
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
