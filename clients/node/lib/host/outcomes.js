// How a run ended, as an outcome or as one of the errors that `run` throws, too.
import {
  ChildDied, HandlerFailed, IsolationUnavailable, LaunchFailed, OutputExceeded, ProtocolViolation, RunError, TimedOut,
  WorkflowFailed, WorkflowStalled,
} from '../errors.js';
import { isObject } from '../results.js';

// By verdict; every other one is a plain RunError.
const ERRORS = {
  stalled: WorkflowStalled,
  wall_timeout: TimedOut,
  output_limit: OutputExceeded,
  protocol_violation: ProtocolViolation,
  isolation_violation: IsolationUnavailable,
  not_started: LaunchFailed,
  host_fault: HandlerFailed,
};

/** The outcome of a run that completed; throws the RunError of any other. */
export function completed(outcome) {
  if (outcome.verdict === 'completed') return outcome;
  throw errorOf(outcome);
}

export function requireOutcome(result) {
  const { outcome } = result;
  if (!isObject(outcome) || typeof outcome.verdict !== 'string' || (outcome.verdict !== 'completed' && !isObject(outcome.error))) {
    throw new ProtocolViolation('the host told of a run without its verdict, or without its error');
  }
  return outcome;
}

function errorOf(outcome) {
  const { verdict, error } = outcome;
  const made = madeOf(outcome);
  made.childAlive = error.childAlive === true;
  return Object.assign(made, { verdict, outcome });
}

function madeOf({ verdict, error }) {
  const message = String(error.message);
  // The kind is another word than the verdict where the workflow failed.
  if (error.kind !== verdict) return new WorkflowFailed(message, error);
  if (verdict === 'crashed') return Object.assign(new ChildDied({ signal: null, exitCode: null, stderr: '' }), { message });
  return new (Object.hasOwn(ERRORS, verdict) ? ERRORS[verdict] : RunError)(message);
}
