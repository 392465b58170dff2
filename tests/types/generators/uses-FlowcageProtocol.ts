// What a host in TypeScript writes with the types that json-schema-to-typescript makes of the bundle.
import type { Drained, InitializeParams, Request, ResolveParams } from './types.ts';

export const first: InitializeParams = { protocolVersion: '1.0', limits: { cpuSeconds: 10 }, isolation: 'strict' };

// @ts-expect-error: there is no such isolation
export const loose: InitializeParams = { protocolVersion: '1.0', isolation: 'loose' };

export const answer: ResolveParams = { id: '1', resolution: { type: 'ok', value: 42 } };

// @ts-expect-error: an error has a message
export const silent: ResolveParams = { id: '1', resolution: { type: 'error' } };

export function prompts(drained: Drained): string[] {
  return drained.requests.flatMap((request) => (request.type === 'agent' ? [request.prompt] : []));
}

export function prompt(request: Request): string {
  // @ts-expect-error: only a request to an agent has a prompt
  return request.prompt;
}

export function result(drained: Drained): unknown {
  return drained.state === 'complete' ? drained.output.result : undefined;
}
