import type { Readable, Writable } from 'node:stream';

import type {
  AgentRequest, Budget, Call, CheckParams, CheckResult, Diagnostic, DrainResult, ExecRequest, InitializeParams,
  InitializeResult, Json, Limits, PollResult, Resolution, SandboxExecRequest, StartParams, TakeResult, WorkflowRef,
  WorkflowRequest,
} from './wire.js';

export type * from './wire.js';

/** What a handler may know of a request: it as it crossed, and a signal that aborts when the run is over. */
export type Asked<Request> = Request & { signal: AbortSignal };

/** A child's streams, and the power over its life. */
export interface Link {
  /** Its process id; null where it is not ours. */
  readonly pid: number | null;
  readonly input: Writable;
  readonly output: Readable;
  /** Kill it and all of its process group. */
  kill(): void;
  /** How it ended, or null if it has not within so many milliseconds. */
  ended(ms: number): Promise<Ended | null>;
  /** Close what is ours of it. */
  release(): void;
}

export interface Ended {
  /** Name of the signal that ended it, or null. */
  signal: string | null;
  exitCode: number | null;
  /** The last it said, without escapes. */
  stderr: string;
}

/** Starts a child; rejects with LaunchFailed where there is none. */
export type Transport = (signal?: AbortSignal) => Promise<Link>;

/** Each child is a process; `command` is program and arguments, left out `flowcage-child` from the PATH. */
export function spawnChild(options?: { command?: readonly string[] }): Transport;

/** Each child is a connection to `flowcage serve --socket PATH`. */
export function connect(socketPath: string): Transport;

export interface RunOptions {
  /** Default: `spawnChild()`. */
  transport?: Transport;
  /** What the workflow sees as `args`; default `{}`. */
  args?: unknown;
  /** What stacks call the source; default `workflow.js`. */
  sourceName?: string;
  dialect?: 'auto' | 'module' | 'script';
  /** Answers `agent()`; without it such calls reject. */
  agent?(prompt: string, options: Record<string, Json>, request: Asked<AgentRequest>): unknown;
  /** Answers `workflow()`; a WorkflowFailed or WorkflowStalled that it throws rejects the call. */
  workflow?(ref: WorkflowRef, args: Json | undefined, request: Asked<WorkflowRequest>): unknown;
  /** Answers `SW.sandbox.exec()`. */
  sandboxExec?(profile: string, program: ExecRequest, request: Asked<SandboxExecRequest>): unknown;
  /** What the workflow sees as `budget`. Change `spent` as tokens are used: each answer carries it. */
  budget?: Budget;
  /** Of the child. */
  limits?: Limits;
  /** Default: `strict` on Linux. */
  isolation?: 'strict' | 'best_effort' | 'none';
  /** Wall clock of the whole run; default an hour, at most 2**31 - 1. */
  timeoutMs?: number;
  /** How long the child may be silent beyond `limits.stepTimeoutMs`; default 5000. */
  answerGraceMs?: number;
  /** All that the child may say in the run; default 1 GiB. */
  maxReceivedBytes?: number;
  /** Agents at work at once; further calls wait in order. Default 16. */
  maxAgents?: number;
  /** Child workflows and sandboxed programs at once; further ones wait in order. Default 4. */
  maxChildren?: number;
  /** Aborting it kills the child. */
  signal?: AbortSignal;
  onLog?(values: Json[]): void;
  onPhase?(name: string, options: Record<string, Json>): void;
  /** A call of a type that only a later version of the contract knows. */
  onOther?(call: { type: string }): void;
}

export interface Report {
  /** The first 10,000 of each; `dropped` counts the others. */
  logs: Json[][];
  phases: string[];
  diagnostics: Diagnostic[];
  dropped: number;
  /** Each layer of the cage: applied, or why not. Empty if the child never told. */
  isolation: InitializeResult['isolation'] | Record<string, never>;
  /** As they held for this run. */
  limits: Limits;
  usage: { wallMs: number; requests: number; messages: number; bytesSent: number; bytesReceived: number };
}

export interface Outcome extends Report {
  result: Json;
}

/** Run one workflow in a child of its own, which is gone when the promise settles. Rejects with a RunError. */
export function run(source: string, options?: RunOptions): Promise<Outcome>;

/** One child, spoken to message by message. */
export class Child {
  static open(
    transport: Transport,
    options?: { signal?: AbortSignal; answerTimeoutMs?: number; maxReceivedBytes?: number },
  ): Promise<Child>;
  private constructor();
  answerTimeoutMs: number;
  readonly messages: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Resolves with the error that ends the conversation, if one does; never rejects. */
  readonly failed: Promise<RunError>;
  initialize(params?: Omit<InitializeParams, 'protocolVersion'>): Promise<InitializeResult>;
  check(params: CheckParams): Promise<CheckResult>;
  start(params: StartParams): Promise<object>;
  poll(): Promise<PollResult>;
  take(): Promise<TakeResult>;
  drain(): Promise<DrainResult>;
  /** A value that cannot cross becomes a rejection that says why. */
  resolve(id: string, resolution: Resolution): Promise<object>;
  shutdown(): Promise<object>;
  /** Kill the child and reject all that wait; the first such error. */
  fail(error: RunError): RunError;
  /** End and reap the child. */
  close(): Promise<void>;
}

export const PROTOCOL_VERSION: '1.0';

/** Splits bytes into lines; throws ProtocolViolation for one over the cap. */
export class LineReader {
  constructor(maxBytes?: number);
  maxBytes: number;
  feed(chunk: Uint8Array): Generator<Uint8Array>;
}

export type Reply =
  | { method: string; result: Json; error?: undefined }
  | { method: string; error: { code: number; message: string; data: { kind: string } & Record<string, Json> } };

/** The host's end of the wire, without any I/O. */
export class Connection {
  maxMessageBytes: number;
  /** The bytes of a request's line. */
  send(method: string, params?: object): Uint8Array;
  /** The replies that these bytes complete. */
  receive(chunk: Uint8Array): Generator<Reply>;
}

export class FlowcageError extends Error {}
export class RunError extends FlowcageError {
  childAlive: boolean;
  report: Report | undefined;
}
export class WorkflowFailed extends RunError {
  kind: string;
  data: { kind: string } & Record<string, Json>;
  /** JavaScript frames in the author's file. */
  workflowStack: string;
}
export class WorkflowStalled extends RunError {}
export class TimedOut extends RunError {}
export class ChildSilent extends RunError {}
export class OutputExceeded extends RunError {}
export class ChildDied extends RunError implements Ended {
  signal: string | null;
  exitCode: number | null;
  stderr: string;
}
export class ProtocolViolation extends RunError {}
export class IsolationUnavailable extends RunError {}
export class RunRefused extends RunError {
  kind: string;
}
export class CannotSend extends RunError {}
export class LaunchFailed extends RunError {}
export class HandlerFailed extends RunError {}
export class AbortError extends RunError {
  code: 'ABORT_ERR';
}
/** Throw it in a handler to reject one request. */
export class RequestRejected extends FlowcageError {}
