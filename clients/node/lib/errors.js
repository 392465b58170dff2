// How a run can end other than with a result. Every RunError says whether the child was alive.

export class FlowcageError extends Error {
  get name() {
    return this.constructor.name;
  }
}

/** A run ended without a result. When it is thrown, the child has ended. */
export class RunError extends FlowcageError {
  /** Whether the child was still alive and answering when the error arose. */
  childAlive = true;

  /** What the run did until then; set by `run`. */
  report = undefined;
}

/** The workflow threw, does not compile, or reached one of the child's limits. */
export class WorkflowFailed extends RunError {
  constructor(message, data) {
    super(message);
    this.kind = data.kind;
    this.data = data;
    this.workflowStack = typeof data.stack === 'string' ? data.stack : '';
  }
}

/** The workflow waits for something that can never be settled. */
export class WorkflowStalled extends RunError {}

/** The wall-clock limit of the whole run was reached; the child was killed. */
export class TimedOut extends RunError {}

/** The child did not answer in time and was killed: it hung where the engine does not check the clock. */
export class ChildSilent extends RunError {}

/** The child sent more than a run may send in all; it was killed. */
export class OutputExceeded extends RunError {}

/** The child ended in the middle of the run. Over a socket signal and exitCode are unknown, and null. */
export class ChildDied extends RunError {
  childAlive = false;

  constructor({ signal, exitCode, stderr }) {
    const how = signal ? `was killed by ${signal}` : exitCode === null ? 'is gone' : `exited with status ${exitCode}`;
    super(`the child ${how} in the middle of the run${stderr && `; it said: ${stderr}`}`);
    Object.assign(this, { signal, exitCode, stderr });
  }
}

/** The child sent something that the wire contract does not allow, and was killed. */
export class ProtocolViolation extends RunError {}

/** The machine lacks a layer of isolation that was asked for. */
export class IsolationUnavailable extends RunError {}

/** The child refused a message, such as for a limit out of range; `kind` is the wire's name for the reason. */
export class RunRefused extends RunError {
  constructor(message, kind) {
    super(message);
    this.kind = kind;
  }
}

/** The source or the args do not fit a message, or hold what JSON cannot; nothing was run. */
export class CannotSend extends RunError {}

/** No child could be started, or the socket has no server. */
export class LaunchFailed extends RunError {
  childAlive = false;
}

/** A handler or listener of the caller's threw something other than RequestRejected: see `cause`. */
export class HandlerFailed extends RunError {}

/** The caller's AbortSignal fired: see `cause`. Named and coded as Node's own. */
export class AbortError extends RunError {
  code = 'ABORT_ERR';
}

/** Thrown by a handler to reject one request: the workflow sees an Error with this message. */
export class RequestRejected extends FlowcageError {}

/** What was thrown, in words: it can be anything, such as a Symbol, of which a template makes another error. */
export function wordsOf(thrown) {
  try {
    const message = thrown?.message;
    return typeof message === 'string' ? message : String(thrown);
  } catch {
    return `what was thrown has no words: it is of type ${typeof thrown}`;
  }
}
