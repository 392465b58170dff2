// `Host`: runs that `flowcage host` carries out. The members of messages are those of docs/host-protocol.md.
import type { AskChoice, CheckResult, ExecRequest, Limits, WorkflowRef } from './wire.js';
import type { FlowcageError, RequestRejected } from './index.js';

/** Tokens of an answer; what is left out is 0. */
export interface TokenUsage {
  input?: number;
  output?: number;
  cacheRead?: number;
  cacheWrite?: number;
}

/** What an agent has cost. Without any of these it has cost nothing; `costUsd` that is left out is not known. */
export interface Spent {
  tokens?: number;
  usage?: TokenUsage;
  /** US dollars. */
  costUsd?: number;
  model?: string;
  provider?: string;
}

/** What an agent answers with beside a value: one of `value` and `text`. In `text` the host finds the JSON that the schema asks for. */
export class AgentAnswer {
  constructor(members: Spent & {
    value?: unknown;
    text?: string;
    sessionId?: string;
    worktree?: Record<string, unknown>;
  });
}

/** What every handler gets beside its own arguments. */
interface Asked {
  readonly rootRunId: string;
  /** Aborts when the host waits no longer: after a timeout, or when the run is over. */
  readonly signal: AbortSignal;
}

/** One attempt at one `agent(prompt, options)`. Prompts and options are a workflow's, and not to be trusted. */
export interface AgentCall extends Asked {
  readonly runId: string;
  readonly requestId: string;
  readonly tenant: string;
  readonly prompt: string;
  readonly options: Record<string, unknown>;
  readonly label: string | null;
  readonly phase: string | null;
  readonly model: string | null;
  /** JSON Schema of the answer, which the host checks. */
  readonly schema: unknown;
  /** From 1; another one for each retry. */
  readonly attempt: number;
  /** What was wrong with the answer to the same call, where this asks once more; `refused` is that answer. */
  readonly problem: string | null;
  readonly refused: string | null;
  readonly idempotencyKey: string;
  readonly key: string;
  readonly deadlineSeconds: number | null;
  /** Whether this attempt was begun before: it may have had effects. `handle` is its last note. */
  readonly interrupted: boolean;
  readonly handle: string | null;
  readonly session: string | null;
  readonly costLeftUsd: number | null;
  readonly tokensLeft: number | null;
  readonly isHeld: boolean;
  /** Tell what the agent does and has spent in this attempt so far: event `agent_progress`. */
  progress(told: { text?: string; usage?: TokenUsage; costUsd?: number; model?: string; sessionId?: string }): void;
  /** Leave a note for whoever may have to ask this again. Of a kept run it is durable when this resolves. */
  remember(handle: string): Promise<void>;
}

export interface WorkflowCall extends Asked {
  readonly runId: string;
  readonly requestId: string;
  /** Name of the source that asks, for paths relative to it. */
  readonly sourceName: string;
  readonly depth: number;
}

export interface ProgramCall extends Asked {
  readonly runId: string;
  readonly requestId: string;
}

export interface QuestionCall extends Asked {
  readonly questionId: string;
  readonly label: string | null;
  readonly schema: unknown;
  readonly options: AskChoice[];
  /** Why the last answer was not taken. */
  readonly problem: string | null;
}

/**
 * Who answers. A value becomes JSON, and undefined null. Throw `RequestRejected`, or an `AgentError`, to have no answer;
 * any other error ends the run as `host_fault`.
 */
export interface Handlers {
  /** Answers `agent()`; an `AgentAnswer` has also what it has cost. */
  agent?(prompt: string, options: Record<string, unknown>, call: AgentCall): unknown;
  /** The source of a child workflow, which the host runs; or what the call becomes without one. */
  workflow?(ref: WorkflowRef, args: unknown, call: WorkflowCall): FoundWorkflow | Promise<FoundWorkflow>;
  /** Answers `SW.sandbox.exec()`. */
  sandboxExec?(profile: string, program: ExecRequest, call: ProgramCall): unknown;
  /** Answers `ask()`. Without it a kept run waits for `Host.answer`. */
  ask?(question: string, call: QuestionCall): unknown;
}

export type FoundWorkflow =
  | string
  | { source: string; sourceName?: string; modules?: Record<string, string>; args?: unknown }
  | { value: unknown };

/** Options of a run; what is left out is as the host was started with. */
export interface HostRunOptions {
  dialect?: 'auto' | 'module' | 'script';
  /** Sources that the workflow may import, by their names. */
  modules?: Record<string, string>;
  timeoutSeconds?: number;
  expiresSeconds?: number;
  answerGraceSeconds?: number;
  /** For one attempt of an agent. */
  agentTimeoutSeconds?: number;
  maxReceivedBytes?: number;
  /** Agents at work at once. */
  maxAgents?: number;
  /** How often agents are asked in the whole run; retries and second tries count. */
  maxTotalAgents?: number;
  maxChildren?: number;
  maxTotalChildren?: number;
  budgetTokens?: number;
  hardBudget?: boolean;
  maxCostUsd?: number;
  agentFailure?: 'null' | 'throw';
  agentIdentity?: string;
  onInterrupted?: Record<string, 'again' | 'reject'>;
  withholdValues?: boolean;
  findings?: boolean;
}

/** Of what begins a run. Handlers answer for this run in the place of the host's; `Host.open` needs one of the same kind. */
export interface BeginOptions extends Handlers {
  /** Whether the run is iterated for its events. */
  events?: boolean;
  /** Called with each event, in order. Where it throws, the run is ended, and `outcome()` rejects with HandlerFailed. */
  onEvent?(event: RunEvent): void;
}

export interface StartOptions extends HostRunOptions, BeginOptions {
  args?: unknown;
  sourceName?: string;
  /** 1 to 100 of `A-Za-z0-9._-`. */
  runId?: string;
  /** Of a host with a store: a second start with it gives the same run. */
  key?: string;
  metadata?: Record<string, unknown>;
  /** Of the child. */
  limits?: Limits;
}

export interface ResumeOptions extends HostRunOptions, BeginOptions {
  /** `resume` goes on with the same run; `fork` is a new one, which reuses what the old one was answered. */
  way?: 'resume' | 'fork';
  /** These are a fork's. */
  source?: string;
  sourceName?: string;
  args?: unknown;
  newRunId?: string;
  fromCall?: string;
  limits?: Limits;
  metadata?: Record<string, unknown>;
  evenIfCancelled?: boolean;
}

/** As docs/events.md has it. */
export interface RunEvent {
  type: string;
  runId: string;
  rootRunId?: string;
  seq?: number;
  at?: number;
  time?: string;
  [member: string]: unknown;
}

/** How a run ended, as `flowcage run` prints it. */
export interface RunOutcome {
  runId: string;
  verdict: string;
  result?: unknown;
  error?: { kind: string; message: string; stack?: string; place?: string; childAlive: boolean };
  usage?: Record<string, unknown>;
  census?: Record<string, number>;
  phases?: { title: string; options?: unknown }[];
  diagnostics?: { kind: string; message: string; [member: string]: unknown }[];
  [member: string]: unknown;
}

export type RunState = 'queued' | 'running' | 'asleep' | 'abandoned' | 'diverged' | 'ended';

export interface RunSummary {
  runId: string;
  state: RunState;
  verdict: string | null;
  sourceName: string;
  /** Milliseconds since 1970. */
  createdAt: number;
  updatedAt: number;
  wakeAt?: number | null;
  forkedFrom?: string | null;
  cancelReason?: string | null;
  /** The workers that may take it, "" for the usual ones; null for a run of a host of its own. */
  pool?: string | null;
  /** Why no worker takes it, while it is queued. */
  held?: string | null;
  hasClient?: boolean;
}

export interface OpenQuestion {
  id: string;
  question: string;
  label?: string | null;
  schema?: unknown;
  options?: string[];
  takesText?: boolean;
}

/** What going on with a run reuses. */
export interface Explanation {
  runId: string;
  reused: number;
  answers: number;
  tokens: number;
  isComplete: boolean;
  error: string | null;
  calls: {
    id: string; kind: string; label?: string | null; phase?: string | null;
    reused: string | null; why?: string | null; tokens?: number;
  }[];
}

/** A run that a host carries out. Iterate it for its events, which takes `{ events: true }` at its start. */
export class HostRun implements AsyncIterable<RunEvent> {
  private constructor();
  readonly runId: string;
  /** What comes of it. Rejects with a RunError (`verdict`, `outcome`) where that is no result, and with HostGone. */
  outcome(): Promise<RunOutcome>;
  /** How it ended, also where there is no result. */
  ended(): Promise<RunOutcome>;
  cancel(reason?: string): Promise<'ended' | 'asked'>;
  [Symbol.asyncIterator](): AsyncIterator<RunEvent>;
}

export interface OpenOptions extends Handlers {
  /** Path of `flowcage host --socket PATH`; left out, a host is started. */
  socket?: string;
  /** Program and arguments of that; by default `flowcage host`. */
  command?: readonly string[];
  /** Further arguments, such as `['--store', 'runs.db']`. */
  args?: readonly string[];
  cwd?: string;
  /** By default that of this process. */
  env?: Record<string, string | undefined>;
  /** What the host says to people; the end of it is in HostGone, too. */
  onStderr?(text: string): void;
  /** What becomes of the runs when this program is gone; default `cancel`. */
  onDisconnect?: 'cancel' | 'continue';
  /** Gives a host up that has not answered yet: `open` rejects with AbortError, and the process is gone. */
  signal?: AbortSignal;
}

/** What a host told when the connection was opened. */
export interface HostInfo {
  protocolVersion: string;
  hostInfo: { name: string; version: string };
  methods: string[];
  limits: Required<Limits>;
  options: HostRunOptions;
  isolation: 'strict' | 'best_effort' | 'none';
  maxMessageBytes: number;
  maxOpenRequests: number;
  maxRuns: number;
  store: boolean;
  tenant: string;
}

/** A host of flowcage. Its methods reject with HostRefused, whose `kind` says why, and with HostGone. */
export class Host {
  private constructor();
  static open(options?: OpenOptions): Promise<Host>;
  readonly info: HostInfo;
  /** Of the host's process; null behind a socket. */
  readonly pid: number | null;
  /** Run a workflow to its end; aborting `signal` ends the run. Rejects with a RunError where there is no result. */
  run(source: string, options?: StartOptions & { signal?: AbortSignal }): Promise<RunOutcome>;
  /** Start a run, which goes on whether or not anybody waits. */
  start(source: string, options?: StartOptions): Promise<HostRun>;
  /** Go on with a kept run that nobody has. */
  resume(runId: string, options?: ResumeOptions): Promise<HostRun>;
  /** What `resume` with these options would reuse, and ask again; nobody is asked. */
  explain(runId: string, options?: ResumeOptions): Promise<Explanation>;
  /** Answer the requests of a run whose client is gone. */
  attach(runId: string, options?: BeginOptions): Promise<HostRun>;
  get(runId: string): Promise<{ run: RunSummary; outcome?: RunOutcome; questions: OpenQuestion[] }>;
  list(options?: { state?: RunState; limit?: number; before?: string }): Promise<{ runs: RunSummary[]; next: string | null }>;
  /** `ended`, or `asked` where another host has the run. */
  cancel(runId: string, reason?: string): Promise<'ended' | 'asked'>;
  /** Answer a question of a kept run. */
  answer(runId: string, questionId: string, value: unknown): Promise<void>;
  /** Refuse to answer it. */
  reject(runId: string, questionId: string, message: string): Promise<void>;
  /** What is wrong with a source; it is not run. */
  check(
    source: string,
    options?: {
      sourceName?: string; dialect?: 'auto' | 'module' | 'script'; modules?: Record<string, string>; outline?: boolean;
    },
  ): Promise<Pick<CheckResult, 'findings'> & { dialect: 'module' | 'script' | null; meta: unknown; outline?: unknown }>;
  /** Leave the host, and have its process end where it is ours. */
  close(options?: { graceMs?: number }): Promise<void>;
}

export const HOST_PROTOCOL_VERSION: '1.0';

export class HostRefused extends FlowcageError {
  kind: string;
  code: number;
  data: { kind: string } & Record<string, unknown>;
}
export class HostGone extends FlowcageError {}

/** Throw it in an agent that has no answer: it is asked again where `options.retry` says so. */
export class AgentError extends RequestRejected {
  constructor(message: string, spent?: Spent & { cause?: unknown });
}
/** The answer is not what the schema asks for; it is asked once more. */
export class WrongAnswer extends AgentError {
  constructor(message: string, spent?: Spent & { text?: string; cause?: unknown });
}
/** The agent does not follow an option of the call; it is not asked again. */
export class OptionNotHonoured extends AgentError {}
/** With `isHeld`: the agent needs a larger share of what is left. */
export class ShareTooSmall extends AgentError {
  constructor(message: string, spent?: Spent & { needsUsd?: number; needsTokens?: number; cause?: unknown });
}
/** No call can be answered; the run ends as `agents_unavailable`, and can be resumed. */
export class AgentsUnavailable extends AgentError {}
