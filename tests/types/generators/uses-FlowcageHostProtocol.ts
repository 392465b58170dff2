// What a client in TypeScript writes with the types that json-schema-to-typescript makes of the host protocol's bundle.
import type { AgentAskParams, AgentAskResult, Error, InitializeParams, RunStartParams, RunWaitResult } from './types.ts';

export const first: InitializeParams = { protocolVersion: '1.0', handlers: ['agent'], onDisconnect: 'continue' };

// @ts-expect-error: no handler answers sleep()
export const sleeper: InitializeParams = { protocolVersion: '1.0', handlers: ['sleep'] };

export const start: RunStartParams = { source: 'return 1', args: [1], options: { maxAgents: 2, agentFailure: 'throw' } };

// @ts-expect-error: a run has a source
export const empty: RunStartParams = { args: {} };

export function answer(call: AgentAskParams): AgentAskResult {
  return { value: call.prompt.toUpperCase(), usage: { input: call.attempt }, costUsd: 0 };
}

export function retryAfter(error: Error): number | undefined {
  return error.data.kind === 'overloaded' ? error.data.retryAfterSeconds : undefined;
}

export function result({ outcome }: RunWaitResult): unknown {
  return outcome.verdict === 'completed' ? outcome.result : outcome.error;
}
