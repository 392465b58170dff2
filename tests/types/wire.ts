// What a host in TypeScript writes with the types of the messages. A line after "refused" must not compile.
import type { ErrorKind, ErrorObject, Event, Limits, Methods, Request, Resolution } from './protocol';

type Answer<M extends keyof Methods> = Methods[M]['result'];

export function promptOf(request: Request): string | undefined {
  return request.type === 'agent' ? request.prompt : undefined;
}

export function outputOf(event: Event): unknown {
  if (event.type === 'request' && event.request.type === 'sleep') return event.request.durationMs.toFixed();
  return event.type === 'complete' ? event.output.result : undefined;
}

export function resultOf(drained: Answer<'drain'>): unknown {
  drained.calls.map((call) => (call.type === 'log' ? call.values.length : call.name));
  return drained.state === 'complete' ? drained.output.result : drained.more;
}

export function frames(error: ErrorObject): readonly string[] {
  if (error.data.kind === 'protocol_version') return error.data.supported;
  if (error.data.kind === 'exception') return error.data.stack.split('\n');
  return [error.message, error.code.toFixed()];
}

export const kind: ErrorKind = 'missing_default';
export const limits: Limits = { cpuSeconds: 10 };
export const started: Methods['start']['params'] = { source: '', args: null, budget: { total: null, spent: 0 } };
export const heap = (answer: Answer<'initialize'>): number => answer.limits.memoryBytes;
export const answers: Resolution[] = [{ type: 'ok', value: 1 }, { type: 'ok_undefined' }];

// refused
export const noValue: Resolution = { type: 'ok' };
// refused
export const noSource: Methods['start']['params'] = { dialect: 'auto' };
// refused
export const noDialect: Methods['check']['params'] = { source: '', dialect: 'coffee' };
// refused
export const noKind: ErrorKind = 'oops';
// refused
export const text: Limits = { cpuSeconds: '10' };
// refused
export const room = (answer: Answer<'initialize'>): number => answer.limits.addressSpaceBytes;
// refused
export const early = (drained: Answer<'drain'>): unknown => drained.output;
