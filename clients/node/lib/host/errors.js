// What can go wrong with a host, and how its agents say that they have no answer.
import { FlowcageError, RequestRejected } from '../errors.js';

/** The host refused a message, such as the start of a run: `kind` is its word for the reason, of docs/host-protocol.md. */
export class HostRefused extends FlowcageError {
  constructor({ code, message, data }) {
    super(message);
    Object.assign(this, { code, kind: data.kind, data });
  }
}

/** There is no host, or none any more: it could not be started, has ended, or broke the protocol. */
export class HostGone extends FlowcageError {}

/** Thrown by an agent that has no answer; `spent` is what it has cost all the same. */
export class AgentError extends RequestRejected {
  kind = 'failed';

  constructor(message, { cause, ...spent } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.spent = spent;
  }
}

/** The agent answered, but not with what the call's schema asks for: `text` is its answer. It is asked once more. */
export class WrongAnswer extends AgentError {
  kind = 'wrong_answer';
}

/** The call has an option that the agent cannot follow. */
export class OptionNotHonoured extends AgentError {
  kind = 'option_not_honoured';
}

/** The agent cannot keep to what the call may spend: it is asked again with `needsUsd` or `needsTokens`, or alone. */
export class ShareTooSmall extends AgentError {
  kind = 'share_too_small';
}

/** No call of the agent can be answered, such as without credit: the run ends, and can be resumed. */
export class AgentsUnavailable extends AgentError {
  kind = 'unavailable';
}
