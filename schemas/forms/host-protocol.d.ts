// Messages of the flowcage host protocol 1.0. Made by `flowcage schema --protocol host --typescript`: do not edit.
// Members that a reader does not know are ignored. Integers have no fraction and no exponent.

/**
 * 1 to 100 of A-Z, a-z, 0-9, '.', '_' and '-'. Ids that the host makes sort by the time at which their runs
 * began.
 */
export type RunId = string;

/** As events have it: unique in its workflow, and not in the run. */
export type RequestId = string;

/** In the tree of the run: 7, or 3/1 in the child workflow of request 3. */
export type QuestionId = string;

/** The id of a request of the host, as in its JSON-RPC envelope. The host's are integers. */
export type MessageId = number | string;

/**
 * A kind of request that a client answers: agent by agent.ask, workflow by workflow.get, sandboxExec by
 * sandbox.exec, ask by question.ask.
 */
export type Handler = 'agent' | 'workflow' | 'sandboxExec' | 'ask';

/**
 * queued: waits for its turn. running: a living host has it. asleep: waits for a time or a person, without a
 * process. abandoned: a host had it and is gone; run.resume goes on with it. diverged: was to be gone on with
 * and did something else. ended: is over, with a verdict.
 */
export type State = 'queued' | 'running' | 'asleep' | 'abandoned' | 'diverged' | 'ended';

/** Times are in milliseconds since 1970. */
export type Run = {
  runId: RunId;
  state: State;
  /** How it ended, in one word of docs/security.md; null before that. */
  verdict: string | null;
  /** What stacks and messages call its source. */
  sourceName: string;
  /** When it was begun. */
  createdAt: number;
  /** When its state changed last. */
  updatedAt: number;
  /** When it is woken; null where it does not wait for a time. */
  wakeAt?: number | null;
  /** The run whose answers it reuses; null for none. */
  forkedFrom?: string | null;
  /** Why it was cancelled by request; null where it was not. */
  cancelReason?: string | null;
  /** The workers that may take it, "" for the usual ones; null for a run of a host of its own. */
  pool?: string | null;
  /** Why no worker takes it, while it is queued; null for no other reason than its turn. */
  held?: string | null;
  /** Whether a client of this host answers its requests. */
  hasClient?: boolean;
};

/** As the model's provider counts them. What is left out is 0. */
export type TokenUsage = {
  /** Read anew. */
  input?: number;
  /** Written. */
  output?: number;
  /** Taken from the provider's cache. */
  cacheRead?: number;
  /** Put there. */
  cacheWrite?: number;
} | null;

/**
 * What flowcage run prints, in docs/events.md under Results: exactly one of result and error is there.
 * Further members may be there.
 */
export type Outcome = {
  runId: RunId;
  /** How it ended, in one word of docs/security.md. */
  verdict: string;
  /** Of a run that completed: any JSON. */
  result?: unknown;
  /** Why there is no result. */
  error?: {
    /** The child's kind where the workflow failed, such as exception or syntax; otherwise the verdict. */
    kind: string;
    /** For a person. */
    message: string;
    /** Frames in the author's file, one a line. */
    stack?: string;
    /** file:line:column. */
    place?: string;
    /**
     * Whether the caged child was still alive when the run's error arose. By the time of the answer it is
     * gone.
     */
    childAlive: boolean;
  };
  /** Time, CPU, memory, messages, tokens, cost, as in docs/events.md. Left out where nothing is known of it. */
  usage?: Record<string, unknown>;
  /** How the agent() calls ended, by count. Left out where nothing is known of it. */
  census?: Record<string, unknown>;
  /** Phases in the order in which they were first named. */
  phases?: (Record<string, unknown>)[];
  /** What is noted beside the result. */
  diagnostics?: (Record<string, unknown>)[];
};

/**
 * What is left out is as the host was started with. Neither the cage nor the child's program can be chosen
 * here.
 */
export type RunOptions = {
  dialect?: Dialect;
  modules?: Modules;
  /** Wall clock of the whole run, without the time in which it is asleep or no host has it. */
  timeoutSeconds?: number;
  /** Of a kept run: so long after it was begun it is not gone on with any more. */
  expiresSeconds?: number;
  /** How much longer than a step may take the child may be silent, before it is killed. */
  answerGraceSeconds?: number;
  /** For one attempt of an agent that the client answers; then the attempt has failed. */
  agentTimeoutSeconds?: number;
  /** All that the child may say in the run, in bytes. */
  maxReceivedBytes?: number;
  /** Agents at work at once; further calls wait in order. */
  maxAgents?: number;
  /** How often agents are asked in the whole run; retries and second tries count. */
  maxTotalAgents?: number;
  /** Child workflows at once, and as many sandboxed programs. */
  maxChildren?: number;
  /** Child workflows in the whole run. */
  maxTotalChildren?: number;
  /** Ceiling on tokens, which the workflow sees in budget. */
  budgetTokens?: number;
  /** Whether agent() is refused once the budget is spent. */
  hardBudget?: boolean;
  /** Ceiling on what agents cost, in US dollars; never above that of the host. */
  maxCostUsd?: number;
  /**
   * What agent() does without an answer: throw rejects, null gives null and a diagnostic. Left out: null in
   * scripts, throw in modules.
   */
  agentFailure?: 'null' | 'throw';
  /** Name of who answers agent(), such as a model with its version. A fork reuses no answer of another one. */
  agentIdentity?: string;
  /**
   * By profile of sandbox.exec: whether a program that was at work when its host ended is run again or its
   * call rejected.
   */
  onInterrupted?: Record<string, 'again' | 'reject'>;
  /** Whether events leave out what agents answered. */
  withholdValues?: boolean;
  /** Whether diagnostics tell what is probably wrong with the source. */
  findings?: boolean;
};

/** Without any of these nothing was spent. costUsd that is left out is not known, and never 0. */
export type Spent = {
  /** That count for the budget. Left out: input and output of usage, or 0. */
  tokens?: number | null;
  usage?: TokenUsage;
  /** US dollars; 0 for what costs nothing. */
  costUsd?: number | null;
  /** The one that answered. */
  model?: string | null;
  /** Whose model it is, for figures. */
  provider?: string | null;
};

/**
 * As docs/events.md has it. Further members depend on the type; types that a reader does not know are to be
 * ignored.
 */
export type Event = {
  /** Its type. */
  type: string;
  /** The workflow's run: of a child workflow its own id. */
  runId: string;
  /** The run that was started. */
  rootRunId?: string;
  /** Number among the events of the run and its child workflows, from 1; 0 for a gap. */
  seq?: number;
  /** Seconds since the root run began. */
  at?: number;
  /** Of the day, RFC 3339. */
  time?: string;
  /** Whose run it is. */
  tenant?: string;
};

/** One call of the run, where it is gone on with. */
export type Call = {
  /** In the tree of the run. */
  id: string;
  /** agent, sleep, workflow, sandbox_exec or ask. */
  kind: string;
  /** Of an agent's call. */
  label?: string | null;
  /** Of an agent's call. */
  phase?: string | null;
  /** Id of the old call whose answer it has; null where it is asked again. */
  reused: string | null;
  /** Why it is asked again. */
  why?: string | null;
  /** That the reused answer had cost. */
  tokens?: number;
};

/** As far as it is known before anybody is asked. */
export type Explanation = {
  /** The old run. */
  runId: RunId;
  /** How many calls of agents have an answer. */
  reused: number;
  /** How many the old run had an answer for. */
  answers: number;
  /** That the reused answers had cost. */
  tokens: number;
  /** Whether it would end without asking anybody. */
  isComplete: boolean;
  /** How it ends then, where it fails. */
  error: string | null;
  /** In the order in which they are made; at most 2000. */
  calls: Call[];
};

/** A name and a version, for logs. */
export type Peer = {
  /** Name of the program. */
  name: string;
  /** Its version, in its own form. */
  version: string;
};

/** What a run may use. A limit that is left out has its default. */
export type Limits = {
  /** Heap of the QuickJS engine, in bytes. Default: 134217728. */
  memoryBytes?: number;
  /** C stack that JavaScript may use, in bytes; more than 4 MiB counts as 4 MiB. Default: 1048576. */
  stackBytes?: number;
  /**
   * CPU time for one message that compiles or runs JavaScript, in milliseconds; renewed at each, so that
   * waiting for the host costs nothing. Ten times as much on the wall clock ends it, too. Default: 5000.
   */
  stepTimeoutMs?: number;
  /** User and system CPU time of the whole run, cumulative, in seconds. Default: 60. */
  cpuSeconds?: number;
  /**
   * Virtual memory of the child, in bytes. Left out: what the child has mapped plus memoryBytes and room for
   * its messages.
   */
  addressSpaceBytes?: number;
  /** Longest sleep() that is not an error, in milliseconds. Default: 31536000000. */
  maxSleepMs?: number;
  /** Longest line in either direction, in bytes, its newline not counted. Default: 8388608. */
  maxMessageBytes?: number;
  /** Requests that may be outstanding at once. Default: 20000. */
  maxPendingRequests?: number;
  /**
   * Calls and requests queued between two messages, in UTF-16 code units of their JSON text; each counts 100
   * more. Default: 4194304.
   */
  maxQueuedBytes?: number;
};

/** The limits as they hold for this run. addressSpaceBytes is left out where nothing limits it. */
export type EffectiveLimits = Limits & Required<Pick<Limits, 'memoryBytes' | 'stackBytes' | 'stepTimeoutMs' | 'cpuSeconds' | 'maxSleepMs' | 'maxMessageBytes' | 'maxPendingRequests' | 'maxQueuedBytes'>>;

/** The workflow: JavaScript text. */
export type Source = string;

/** What stacks and messages call the source. Default: "workflow.js". */
export type SourceName = string;

/**
 * Sources that the workflow may import, 64 at most, by their names: an import names the folder of the source
 * that has it, joined with the specifier, without empty steps and ., and with .. at the beginning only. Left
 * out: none. Children without imports ignore it.
 */
export type Modules = Record<string, string>;

/** How to read the source. auto: an ES module, unless a top-level return makes it a script. Default: "auto". */
export type Dialect = 'auto' | 'module' | 'script';

/** One of the answers that a question may have, where it does not take any. */
export type AskChoice = {
  /** What the person reads. */
  label: string;
  /** The answer where it is chosen: any JSON. */
  value: unknown;
};

/** A name that the host knows, or the path of a file. */
export type WorkflowRef = string | {
  /** Path of the file, relative to the parent workflow's. */
  scriptPath: string;
};

/** What the workflow asks a sandbox of the host to run. */
export type ExecRequest = {
  /** The program. */
  command: string;
  /** Its arguments, without the program's own name. */
  args?: string[];
  /** Its working folder. */
  cwd?: string;
  /** Its environment variables, added to the profile's. */
  env?: Record<string, string>;
  /** What it reads from its standard input. */
  stdin?: string;
};

/** Something in the source that is probably wrong, found without running it. */
export type Finding = {
  /** Name of the rule, for programs. */
  kind: string;
  /**
   * error: the run fails where it gets there. warning: it probably does something else than meant. note: it
   * has no effect.
   */
  severity: 'error' | 'warning' | 'note';
  /** One sentence for the author. */
  message: string;
  /** From 1. */
  line: number;
  /** From 1, in characters. */
  column: number;
  /** Line of the end of what is meant. */
  endLine?: number;
  /** Column of the first character behind what is meant. */
  endColumn?: number;
  /** The module that it is in. Left out: it is in the source itself. */
  sourceName?: string;
  /** What to do instead. */
  hint?: string;
};

/**
 * Why a request of the client was not carried out: the error member of the host's answer. Programs branch on
 * data.kind; the code follows from it. How a run ended is no error but an outcome.
 */
export type ErrorObject = {
  /** One sentence for a person. */
  message: string;
} & (
  | {
    code: -32700;
    data: {
      kind: 'parse_error';
    };
  }
  | {
    code: -32600;
    data: {
      kind: 'invalid_request';
    };
  }
  | {
    code: -32601;
    data: {
      kind: 'method_not_found';
    };
  }
  | {
    code: -32602;
    data: {
      kind: 'invalid_params';
      /** JSON Pointer (RFC 6901) into params; empty where no single place is meant. */
      path: string;
      /** What is wrong there. */
      message: string;
    };
  }
  | {
    code: -32603;
    data: {
      kind: 'internal';
    };
  }
  | {
    code: -32021;
    data: {
      kind: 'invalid_state';
    };
  }
  | {
    code: -32022;
    data: {
      kind: 'message_too_large';
    };
  }
  | {
    code: -32024;
    data: {
      kind: 'protocol_version';
      /** Those that it speaks. */
      supported: string[];
    };
  }
  | {
    code: -32040;
    data: {
      kind: 'too_many_requests';
    };
  }
  | {
    code: -32041;
    data: {
      kind: 'overloaded';
      /** Which one, as in docs/host.md. */
      quota: string;
      /** When to try again. */
      retryAfterSeconds: number;
    };
  }
  | {
    code: -32042;
    data: {
      kind: 'closing';
    };
  }
  | {
    code: -32043;
    data: {
      kind: 'run_id_in_use';
      runId: RunId;
    };
  }
  | {
    code: -32044;
    data: {
      kind: 'key_in_use';
    };
  }
  | {
    code: -32045;
    data: {
      kind: 'unknown_run';
      runId: RunId;
    };
  }
  | {
    code: -32046;
    data: {
      kind: 'run_has_ended';
      runId: RunId;
    };
  }
  | {
    code: -32047;
    data: {
      kind: 'run_has_client';
      runId: RunId;
    };
  }
  | {
    code: -32048;
    data: {
      kind: 'not_resumable';
      runId: RunId;
    };
  }
  | {
    code: -32049;
    data: {
      kind: 'not_forkable';
      runId: RunId;
    };
  }
  | {
    code: -32050;
    data: {
      kind: 'question_not_open';
      runId: RunId;
    };
  }
  | {
    code: -32051;
    data: {
      kind: 'answer_does_not_fit';
      runId: RunId;
    };
  }
  | {
    code: -32052;
    data: {
      kind: 'no_store';
    };
  }
  | {
    code: -32053;
    data: {
      kind: 'store_failed';
    };
  }
  | {
    code: -32054;
    data: {
      kind: 'not_waiting';
    };
  }
  | {
    code: -32056;
    data: {
      kind: 'run_abandoned';
      runId: RunId;
    };
  }
  | {
    code: -32055;
    data: {
      kind: 'no_child';
      /** In one word of docs/security.md. */
      verdict: string;
      /** Whether the child was still alive when the error arose. */
      childAlive: boolean;
    };
  }
);

/**
 * Why a request of the host has no answer: the error member of the client's answer. The kinds: failed: there
 * is no answer. An agent's call is tried again where options.retry says so, and otherwise rejects with the
 * message; every other request rejects. rejected: the same as failed, for requests that are no agent's.
 * wrong_answer: of agent.ask with a schema: there was an answer, which is none that the schema asks for. The
 * agent is asked once more. Without a schema: as failed. option_not_honoured: of agent.ask: the call has an
 * option that the agent does not follow. Nothing was spent, and it is not tried again. share_too_small: of
 * agent.ask with isHeld: the agent cannot keep to what is left. It is asked again with a larger share, or
 * alone. unavailable: of agent.ask: no call of this agent can be answered, as its account has no credit. The
 * run begins no agent any more and ends as agents_unavailable, to be resumed. fault: the client's handler is
 * broken. The run ends as host_fault.
 */
export type ClientErrorObject = {
  /** Any; -32000 where nothing else is meant. The host reads data.kind alone. */
  code: number;
  /** What the workflow's Error says. */
  message: string;
  /** What it means for the request, and what was spent all the same. */
  data?: {
    /** What it means for the request. One that the host does not know, or that is missing, counts as failed. */
    kind?: string;
    /** That count for the budget. Left out: input and output of usage, or 0. */
    tokens?: number | null;
    usage?: TokenUsage;
    /** US dollars; 0 for what costs nothing. */
    costUsd?: number | null;
    /** The one that answered. */
    model?: string | null;
    /** Whose model it is, for figures. */
    provider?: string | null;
    /** Of wrong_answer: the answer, as far as it is text. */
    text?: string | null;
    /** Of share_too_small: the share that it takes. */
    needsUsd?: number | null;
    /** Of share_too_small: the share that it takes. */
    needsTokens?: number | null;
  };
};

/** A request of the host: one attempt at one agent(prompt, options). */
export type AgentAskParams = {
  /** The run that was started or resumed. */
  rootRunId: RunId;
  /** The workflow that asks: the same, or that of a child workflow. */
  runId: RunId;
  requestId: RequestId;
  /** Whose run it is. */
  tenant: string;
  /** What the workflow asks. Hostile input, like all that comes from a workflow. */
  prompt: string;
  /**
   * What the workflow passed beside the prompt, with defaults of its phase. An option that the agent does not
   * follow is to be refused by option_not_honoured.
   */
  options: Record<string, unknown>;
  /** options.label, where it is text. */
  label: string | null;
  /** That the call is charged to. */
  phase: string | null;
  /** options.model, where it is text. */
  model: string | null;
  /** JSON Schema that the answer must satisfy; null where any text is an answer. The host checks it. */
  schema: unknown;
  /** From 1; see options.retry. */
  attempt: number;
  /** What was wrong with the answer to the same call, where this asks once more; otherwise null. */
  problem: string | null;
  /** The answer that had the problem, as text that may have been cut. */
  refused: string | null;
  /**
   * root run/request in the tree/attempt: the same where an attempt that was interrupted is asked once more,
   * another for a retry; a second try after a wrong answer ends in .2.
   */
  idempotencyKey: string;
  /** Digest of what is asked: the same for calls that ask the same. */
  key: string;
  /** Seconds from now until this attempt is cancelled; null for no limit. */
  deadlineSeconds: number | null;
  /**
   * Whether this attempt was begun before, by a host that ended or a client that is gone: it may have had
   * effects.
   */
  interrupted: boolean;
  /** The last note of agent.remember for this attempt. */
  handle: string | null;
  /** sessionId of an earlier answer, which this call continues. */
  session: string | null;
  /** US dollars that may be spent on this call; null without a ceiling. */
  costLeftUsd: number | null;
  /** Tokens that may be spent on this call; null without a ceiling. */
  tokensLeft: number | null;
  /**
   * Whether the call must not spend more than is left: an agent that cannot keep to that answers
   * share_too_small before it spends anything.
   */
  isHeld: boolean;
};

/**
 * The agent's answer, and what it cost. The host checks it by the call's schema and asks once more where it
 * does not fit.
 */
export type AgentAskResult = {
  /** Text, or the JSON value that the call's schema asks for. One of value and text is needed. */
  value?: unknown;
  /**
   * In place of value: text as a model wrote it. Where the call has a schema, the host reads the JSON in it;
   * where it finds none, that is a wrong answer.
   */
  text?: string;
  /** That count for the budget. Left out: input and output of usage, or 0. */
  tokens?: number | null;
  usage?: TokenUsage;
  /** US dollars; 0 for what costs nothing. */
  costUsd?: number | null;
  /** The one that answered. */
  model?: string | null;
  /** Whose model it is, for figures. */
  provider?: string | null;
  /** The agent's own name for the conversation, by which a later call may continue it. */
  sessionId?: string | null;
  /** Where its changes are kept, for events. */
  worktree?: Record<string, unknown> | null;
};

/**
 * A notification of the client: word of an agent at work. It becomes the event agent_progress. What is left
 * out is not new.
 */
export type AgentProgressParams = {
  /** Of the agent.ask. */
  id: MessageId;
  /** What it does, in a line. */
  text?: string | null;
  /** Of this attempt so far, not since the last word. */
  usage?: TokenUsage;
  /** Of this attempt so far. */
  costUsd?: number | null;
  /** The one that answers. */
  model?: string | null;
  /** The agent's own name for the conversation. */
  sessionId?: string | null;
};

/**
 * Leave a note for whoever may have to ask this again, such as the name of a session. Of a kept run it is
 * durable when this is answered; the last note counts.
 */
export type AgentRememberParams = {
  /** Of the agent.ask that is being answered. */
  id: MessageId;
  /** At most 8192 bytes of UTF-8, without NUL. */
  handle: string;
};

/** The note is kept. */
export type AgentRememberResult = Record<string, unknown>;

/** Say what is wrong with a source, without running it. Nothing is kept. */
export type CheckParams = {
  source: Source;
  sourceName?: SourceName;
  dialect?: Dialect;
  modules?: Modules;
  /** Whether the answer has an outline of the calls. Default: false. */
  outline?: boolean;
};

/**
 * What was found. A source that does not compile is a finding of severity error, whose kind is syntax or
 * import, and has no dialect.
 */
export type CheckResult = {
  /** Which dialect the source turned out to be; null where it does not compile. */
  dialect: 'module' | 'script' | null;
  /** The literal that the source exports as meta; null where it exports none. */
  meta: unknown;
  /** At most 100. */
  findings: Finding[];
  /** The calls of the source and what they are in, for people: its members may grow. */
  outline?: Record<string, unknown>;
};

/** The client's first message: the version, and what it answers. */
export type InitializeParams = {
  /**
   * Version of the host protocol that the client speaks. One that the host does not speak is error
   * protocol_version.
   */
  protocolVersion: string;
  /** What the client is, for logs. */
  clientInfo?: Peer;
  /**
   * The kinds of request that this client answers. For the others the host asks those that it was started
   * with, or refuses. Default: [].
   */
  handlers?: Handler[];
  /**
   * What becomes of the client's runs when it is gone. cancel: each is ended. continue: each goes on.
   * Default: "cancel".
   */
  onDisconnect?: 'cancel' | 'continue';
  /**
   * Whether run.event is sent for the runs that this client starts, where run.start does not say. Default:
   * false.
   */
  events?: boolean;
};

/** The connection is open: what the host is, and what holds for runs. */
export type InitializeResult = {
  /** Version of the protocol from here on. */
  protocolVersion: string;
  /** The host. */
  hostInfo: Peer;
  /** The requests that this host answers. One that is not there is method_not_found. */
  methods: string[];
  /** Limits of the child where a run names none. */
  limits: EffectiveLimits;
  /** Options of a run that names none. */
  options: RunOptions;
  /** The cage of all runs. */
  isolation: 'strict' | 'best_effort' | 'none';
  /** Longest line, in bytes, in both directions. */
  maxMessageBytes: number;
  /** Requests of a client that may be unanswered at once; one more is error too_many_requests. */
  maxOpenRequests: number;
  /** Runs at once, of all clients; further ones wait in order. */
  maxRuns: number;
  /** Whether runs are kept, so that they can be listed, resumed and answered. */
  store: boolean;
  /** Whose the runs of this host are. */
  tenant: string;
};

/** A request of the host: ask(question, options) wants an answer of a person. */
export type QuestionAskParams = {
  /** The run that was started or resumed. */
  rootRunId: RunId;
  questionId: QuestionId;
  /** The workflow's text, which is not to be trusted. */
  question: string;
  /** What it is called. */
  label: string | null;
  /** JSON Schema that the answer has to satisfy; null for none. */
  schema: unknown;
  /** Of these the value of one is the answer; empty where the answer is free. */
  options: AskChoice[];
  /** Why the last answer was not taken, where the question is put once more. */
  problem: string | null;
};

/** The answer. One that does not fit is asked for again, with problem. */
export type QuestionAskResult = {
  /** Any JSON that fits the question. */
  value: unknown;
};

/** A notification of the host: it waits no longer for the answer to its request. A late answer is dropped. */
export type RequestCancelledParams = {
  id: MessageId;
  /**
   * timeout: the time for the attempt is over. settled: another answer came first, as to a question. ended:
   * the workflow or the run is over, or was cancelled.
   */
  reason: 'timeout' | 'settled' | 'ended';
};

/**
 * Answer a question of a kept run. Needs a store; the first answer counts, also where question.ask is open
 * for it.
 */
export type RunAnswerParams = {
  runId: RunId;
  questionId: QuestionId;
  /** The answer: JSON that fits the question. */
  value: unknown;
};

/** The answer is kept, and counts. */
export type RunAnswerResult = Record<string, unknown>;

/** Answer the requests of a run of this host that nobody answers any more, since its client is gone. */
export type RunAttachParams = {
  runId: RunId;
  /** Whether run.event is sent from now on; left out, as initialize has it. */
  events?: boolean;
};

/** The run is this client's. Requests that wait are sent after this. */
export type RunAttachResult = {
  runId: RunId;
  state: State;
};

/** End a run. */
export type RunCancelParams = {
  runId: RunId;
  /** Why; it is kept. Default: "". */
  reason?: string;
};

/** ended: it is over, and its child is gone. asked: another host has it, which will end it. */
export type RunCancelResult = {
  runId: RunId;
  /** What has become of it. */
  done: 'ended' | 'asked';
};

/** A notification of the host: something happened in a run. */
export type RunEventParams = {
  /** The run that was started or resumed; the event has that of its workflow. */
  runId: RunId;
  event: Event;
};

/** How a run stands. */
export type RunGetParams = {
  runId: RunId;
};

/** How the run stands. */
export type RunGetResult = {
  run: Run;
  /** Of a run that has ended. */
  outcome?: Outcome;
  /** Those that wait for an answer by run.answer. */
  questions: ({
    id: QuestionId;
    /** The workflow's text, which is not to be trusted. */
    question: string;
    /** What it is called. */
    label?: string | null;
    /** JSON Schema that the answer has to satisfy; null for none. */
    schema?: unknown;
    /** Labels of the answers that it takes; empty where any is. */
    options?: string[];
    /** Whether plain text may be an answer. */
    takesText?: boolean;
  })[];
};

/**
 * List the runs, the newest first. With a store, those that it keeps; without, those of this host that it
 * remembers.
 */
export type RunListParams = {
  /** Only those. */
  state?: State;
  /** How many at most, up to 500. Default: 100. */
  limit?: number;
  /** next of the list before, to continue behind it. */
  before?: string;
};

/** Some runs. */
export type RunListResult = {
  /** The newest first. */
  runs: Run[];
  /** Where the list goes on; null at its end. */
  next: string | null;
};

/** Refuse to answer a question of a kept run: ask() rejects. Needs a store. */
export type RunRejectParams = {
  runId: RunId;
  questionId: QuestionId;
  /** What the workflow sees. */
  message: string;
};

/** The refusal is kept, and counts. */
export type RunRejectResult = Record<string, unknown>;

/** Go on with a kept run that nobody has, or say what that would reuse and ask. Needs a store. */
export type RunResumeParams = {
  /** The old run. */
  runId: RunId;
  /** Whether to go on; otherwise it is only explained. Default: false. */
  start?: boolean;
  /**
   * resume: the same run goes on where it was. fork: a new run, which reuses what the old one was answered
   * and asks the rest, failed calls too. Left out: fork where there is a source or args, otherwise resume.
   */
  way?: 'resume' | 'fork';
  /** Of a fork; left out, that of the old run. */
  source?: Source;
  sourceName?: SourceName;
  /** Of a fork; left out, those of the old run. */
  args?: unknown;
  /** Of a fork; left out, the host makes one. */
  newRunId?: RunId;
  /** Of a fork: reuse only what was answered when the call with this id was made. */
  fromCall?: string;
  /** Go on with a run that was cancelled by request. Default: false. */
  evenIfCancelled?: boolean;
  options?: RunOptions;
  /** Of a fork. */
  limits?: Limits;
  /** Of a fork: the client's own, for events. */
  metadata?: Record<string, unknown>;
  /** Whether run.event is sent; left out, as initialize has it. */
  events?: boolean;
};

/** What is reused, or which run goes on. */
export type RunResumeResult = {
  /** The run that goes on: of a fork that is only explained, the old one. */
  runId: RunId;
  /** How. */
  way: 'resume' | 'fork';
  /** Whether it goes on now. */
  started: boolean;
  /** Where it is not started. */
  explanation?: Explanation;
};

/** Start a run. */
export type RunStartParams = {
  source: Source;
  sourceName?: SourceName;
  /** The workflow's args: any JSON. Left out: an empty object. */
  args?: unknown;
  /** Chosen by the client; left out, the host makes one. One that is in use is error run_id_in_use. */
  runId?: RunId;
  /**
   * Of the client's choice, up to 500 characters; needs a store. A second start with it gives the same run,
   * also when that has ended.
   */
  key?: string;
  /** The client's own, for events. */
  metadata?: Record<string, unknown>;
  /** Of the child. A limit that is left out is the host's; maxMessageBytes may be 8 MiB at most. */
  limits?: Limits;
  options?: RunOptions;
  /** Whether run.event is sent for this run; left out, as initialize has it. */
  events?: boolean;
};

/** The run is queued, and with a store it is kept. Its first event comes after this. */
export type RunStartResult = {
  runId: RunId;
};

/** Wait for the end of a run. Any client may, of any run. */
export type RunWaitParams = {
  runId: RunId;
};

/** The run has ended, and its child is gone. The last event of the run came before this. */
export type RunWaitResult = {
  runId: RunId;
  outcome: Outcome;
};

/**
 * A request of the host: SW.sandbox.exec(profile, program). It is for the client to decide whether anything
 * is run.
 */
export type SandboxExecParams = {
  /** The run that was started or resumed. */
  rootRunId: RunId;
  requestId: RequestId;
  /** Name of a sandbox of the client's. */
  profile: string;
  program: ExecRequest;
};

/** What the call becomes. */
export type SandboxExecResult = {
  /** Any JSON. */
  value: unknown;
};

/** End this connection: its runs become what onDisconnect says. Over stdin and stdout the host ends with it. */
export type ShutdownParams = Record<string, unknown>;

/** With onDisconnect cancel, the client's runs have ended. Nothing is sent after this. */
export type ShutdownResult = Record<string, unknown>;

/** A request of the host: workflow(ref, args) wants a child workflow. */
export type WorkflowGetParams = {
  /** The run that was started or resumed. */
  rootRunId: RunId;
  /** The workflow that asks: the same, or that of a child workflow. */
  runId: RunId;
  requestId: RequestId;
  ref: WorkflowRef;
  /** That the workflow passed; left out where it passed none. */
  args?: unknown;
  /** Name of the source that asks, for paths relative to it. */
  sourceName: string;
  /** 0 for a call by the run that was started. */
  depth: number;
};

/**
 * A source, which the host runs as a child workflow, or a value in its place. One of source and value is
 * needed.
 */
export type WorkflowGetResult = {
  source?: Source;
  sourceName?: SourceName;
  modules?: Modules;
  /** Of the child workflow; left out, those that were passed. */
  args?: unknown;
  /** What the call becomes, without a child workflow. */
  value?: unknown;
};

/** Every request of the client: what it takes and what it is answered. */
export interface ClientRequests {
  initialize: { params: InitializeParams; result: InitializeResult };
  'run.start': { params: RunStartParams; result: RunStartResult };
  'run.wait': { params: RunWaitParams; result: RunWaitResult };
  'run.get': { params: RunGetParams; result: RunGetResult };
  'run.list': { params: RunListParams; result: RunListResult };
  'run.cancel': { params: RunCancelParams; result: RunCancelResult };
  'run.attach': { params: RunAttachParams; result: RunAttachResult };
  'run.resume': { params: RunResumeParams; result: RunResumeResult };
  'run.answer': { params: RunAnswerParams; result: RunAnswerResult };
  'run.reject': { params: RunRejectParams; result: RunRejectResult };
  check: { params: CheckParams; result: CheckResult };
  'agent.remember': { params: AgentRememberParams; result: AgentRememberResult };
  shutdown: { params: ShutdownParams; result: ShutdownResult };
}
/** Every notification of the client. */
export interface ClientNotifications {
  'agent.progress': AgentProgressParams;
}
/** Every request of the host: what it takes and what it is answered. */
export interface HostRequests {
  'agent.ask': { params: AgentAskParams; result: AgentAskResult };
  'workflow.get': { params: WorkflowGetParams; result: WorkflowGetResult };
  'sandbox.exec': { params: SandboxExecParams; result: SandboxExecResult };
  'question.ask': { params: QuestionAskParams; result: QuestionAskResult };
}
/** Every notification of the host. */
export interface HostNotifications {
  'request.cancelled': RequestCancelledParams;
  'run.event': RunEventParams;
}
/** What programs branch on when a request of theirs was refused. */
export type ErrorKind = ErrorObject['data']['kind'];
