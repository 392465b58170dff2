// What the prelude does with a line of the wire that the engine's JSON.parse has read (`child/short_cut.py`): judges a
// message, and carries it out only where it is in order. Where it is not, nothing is changed, and Python reads the line
// anew, which says what is wrong.
//
// Such a message is data: own properties without getters. Its members are read as own ones all the same, since a
// workflow can give Object.prototype what is missing. `budgets` is how many budgets the line has; of their numbers
// Python has seen that they are written as integers, which the parsed numbers do not tell.

const MAX_INTEGER = Number.MAX_SAFE_INTEGER; // protocol/limits.py has the same, MAX_LIMIT
const DIALECTS = { __proto__: null, auto: 1, module: 1, script: 1 };

let turns = 0;
let unsettled; // answers of a turn that is being settled

const isMember = (object, name, type) => hasOwn(object, name) && typeof object[name] === type;

const isRequest = (message, id, method) => message.jsonrpc === '2.0' && message.id === id && message.method === method
  && isPlain(message.params);

const isCount = (value) => typeof value === 'number' && value >= 0 && value <= MAX_INTEGER;

const isBudget = (value) => isPlain(value) && hasOwn(value, 'total') && (value.total === null || isCount(value.total))
  && hasOwn(value, 'spent') && isCount(value.spent);

// Whether Python and the engine have read every number of a value as the same one: a text too large for a double is an
// infinity here and refused there, and -0 is 0 there.
function isExact(value) {
  if (typeof value === 'number') return isFinite(value) && (value !== 0 || 1 / value > 0);
  if (typeof value !== 'object' || value === null) return true;
  const names = isArray(value) ? value : keys(value);
  for (let i = 0; i < names.length; i++) if (!isExact(names === value ? value[i] : value[names[i]])) return false;
  return true;
}

function isAwaited(id) {
  if (!isOutstanding(id) || pending[id].turn === turns) return false;
  pending[id].turn = turns; // twice in one turn, it is unknown
  return true;
}

const areAwaited = (answers) => {
  turns += 1;
  for (let i = 0; i < answers.length; i++) if (!isAwaited(answers[i].id)) return false;
  return true;
};

function isAnswer(answer) {
  if (!isPlain(answer) || !isMember(answer, 'id', 'string') || !hasOwn(answer, 'resolution')) return false;
  const { resolution } = answer;
  if (!isPlain(resolution) || !isMember(resolution, 'type', 'string')) return false;
  const { type } = resolution;
  if (type === 'ok') {
    return hasOwn(resolution, 'value') && isExact(resolution.value)
      && (!hasOwn(resolution, 'budget') || isBudget(resolution.budget));
  }
  return type === 'ok_undefined' || (type === 'error' && isMember(resolution, 'message', 'string'));
}

// The turns of a message, of which the first can be carried out; undefined where it is not in order.
function turnsIn(message, id, method, budgets) {
  if (!isRequest(message, id, method)) return undefined;
  const { params } = message;
  if (!hasOwn(params, 'turns') || !isArray(params.turns) || params.turns.length === 0) return undefined;
  let count = 0;
  for (let i = 0; i < params.turns.length; i++) {
    const answers = params.turns[i];
    if (!isArray(answers) || answers.length === 0) return undefined;
    for (let j = 0; j < answers.length; j++) {
      if (!isAnswer(answers[j])) return undefined;
      if (hasOwn(answers[j].resolution, 'budget')) count += 1;
    }
  }
  return count === budgets && areAwaited(params.turns[0]) ? params.turns : undefined;
}

// Settles the requests of an `advance` with one turn. Returns whether it was in order.
function settleTurn(message, id, budgets) {
  let answers;
  try {
    answers = turnsIn(message, id, 'advance', budgets);
  } catch {
    return false; // no stack or memory to judge with, which the usual way may need less of
  }
  if (answers === undefined || answers.length !== 1) return false;
  settleAll(answers[0]);
  return true;
}

let replayed; // turns of a `replay` that is being carried out
let replayedAt = 0;

// Takes the turns of a `replay`. Returns whether it was in order.
function openReplay(message, id, budgets) {
  try {
    replayed = turnsIn(message, id, 'replay', budgets);
  } catch {
    return false;
  }
  replayedAt = 0;
  return replayed !== undefined;
}

// Settles the requests of the next turn. Returns whether there was one, and all of them were outstanding.
function settleNext() {
  if (replayedAt === replayed.length) return false;
  const answers = replayed[replayedAt];
  if (replayedAt > 0 && !areAwaited(answers)) return false;
  replayed[replayedAt] = undefined;
  replayedAt += 1;
  settleAll(answers);
  return true;
}

function settleAll(answers) {
  unsettled = answers;
  for (let i = 0; i < answers.length; i++) {
    const { id: request, resolution } = answers[i];
    const { type } = resolution;
    if (type === 'ok' && hasOwn(resolution, 'budget')) {
      budgetTotal = resolution.budget.total;
      budgetSpent = resolution.budget.spent;
    }
    settle(request, type, type === 'ok' ? resolution.value : resolution.message);
  }
  unsettled = undefined;
}

// Removes the requests of a turn at which the run has ended.
function forgetTurn() {
  if (unsettled === undefined) return '';
  for (let i = 0; i < unsettled.length; i++) forget(unsettled[i].id);
  unsettled = undefined;
  return '';
}

// Installs args and budget of a `run`. Returns its dialect, whether it asks for a description, the name of the source,
// and the source, from the first line break on; '' where it is not in order.
function openRun(message, id, budgets) {
  if (!isRequest(message, id, 'run')) return '';
  const { params } = message;
  if (!isMember(params, 'source', 'string') || hasOwn(params, 'limits') || hasOwn(params, 'modules')) return '';
  const named = hasOwn(params, 'sourceName');
  if (named && (typeof params.sourceName !== 'string' || indexOf(params.sourceName, '\n') >= 0)) return '';
  if (hasOwn(params, 'dialect') && !(isString(params.dialect) && params.dialect in DIALECTS)) return '';
  if (hasOwn(params, 'describe') && typeof params.describe !== 'boolean') return '';
  if (hasOwn(params, 'args') && !isExact(params.args)) return '';
  const hasBudget = hasOwn(params, 'budget');
  if (budgets !== (hasBudget ? 1 : 0) || (hasBudget && !isBudget(params.budget))) return '';
  if (hasBudget) {
    budgetTotal = params.budget.total;
    budgetSpent = params.budget.spent;
  }
  install(hasOwn(params, 'args') ? deepFreeze(params.args) : {});
  const dialect = hasOwn(params, 'dialect') ? params.dialect : '';
  const describes = hasOwn(params, 'describe') && params.describe ? 'yes' : '';
  return `${dialect},${describes},${named ? `=${params.sourceName}` : ''}\n${params.source}`;
}
