// What a run is started with, as the members of its message.

const PARAMS = [
  'sourceName', 'args', 'runId', 'key', 'metadata', 'limits', 'source', 'newRunId', 'fromCall', 'way', 'evenIfCancelled',
];
// `runOptions` of schemas/host/common.json.
export const RUN_OPTIONS = [
  'dialect', 'modules', 'timeoutSeconds', 'expiresSeconds', 'answerGraceSeconds', 'agentTimeoutSeconds', 'maxReceivedBytes',
  'maxAgents', 'maxTotalAgents', 'maxChildren', 'maxTotalChildren', 'budgetTokens', 'hardBudget', 'maxCostUsd',
  'agentFailure', 'agentIdentity', 'onInterrupted', 'withholdValues', 'findings',
];
const OURS = ['agent', 'workflow', 'sandboxExec', 'ask', 'signal', 'onEvent', 'events'];

/** Params of a message that begins a run. Throws TypeError for an option that there is not, which the host would ignore. */
export function startParams(params, options) {
  const settings = given(options);
  const unknown = Object.keys(settings).find((name) => ![...PARAMS, ...RUN_OPTIONS, ...OURS].includes(name));
  if (unknown !== undefined) throw new TypeError(`there is no option ${unknown}; there are ${RUN_OPTIONS.join(', ')}`);
  const events = settings.events || settings.onEvent !== undefined;
  return { ...picked(settings, PARAMS), ...params, options: picked(settings, RUN_OPTIONS), events };
}

/** In every option undefined is the same as absent. */
export function given(options) {
  return Object.fromEntries(Object.entries(options ?? {}).filter(([, value]) => value !== undefined));
}

function picked(settings, names) {
  return Object.fromEntries(names.filter((name) => name in settings).map((name) => [name, settings[name]]));
}
