// Messages of the flowcage protocol 1.0. Made by `flowcage schema --typescript`: do not edit.
// Members that a reader does not know are ignored. Integers have no fraction and no exponent.

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

/**
 * Limits to lower for this run. One that is left out, or higher than the child holds to already, stays as it
 * is.
 */
export type RunLimits = {
  /** Heap of the QuickJS engine, in bytes. */
  memoryBytes?: number;
  /** C stack that JavaScript may use, in bytes; more than 4 MiB counts as 4 MiB. */
  stackBytes?: number;
  /**
   * CPU time for one message that compiles or runs JavaScript, in milliseconds; renewed at each, so that
   * waiting for the host costs nothing. Ten times as much on the wall clock ends it, too.
   */
  stepTimeoutMs?: number;
  /** User and system CPU time of the whole run, cumulative, in seconds. */
  cpuSeconds?: number;
  /** Longest sleep() that is not an error, in milliseconds. */
  maxSleepMs?: number;
  /** Requests that may be outstanding at once. */
  maxPendingRequests?: number;
  /**
   * Calls and requests queued between two messages, in UTF-16 code units of their JSON text; each counts 100
   * more.
   */
  maxQueuedBytes?: number;
};

/** Whether one layer of the cage holds. */
export type Layer = {
  /** Whether it holds. */
  applied: boolean;
  /** How it holds, or why it does not. */
  detail: string;
};

/** Tokens the workflow may know of. The host counts; the child only shows the numbers. */
export type Budget = {
  /** The ceiling, in tokens; null where there is none. */
  total: number | null;
  /** Spent so far, in tokens. */
  spent: number;
};

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

/** The number that the child gave a request, from 1 for all kinds together, as a string. The host echoes it. */
export type RequestId = string;

/** What the workflow told the host; nothing waits for an answer. */
export type Call =
  | {
    type: 'log';
    /** The arguments of log(), each any JSON. */
    values: unknown[];
  }
  | {
    type: 'phase';
    /** Name of the phase that begins. */
    name: string;
    /** The second argument of phase(). Left out where it is empty. */
    options?: Record<string, unknown>;
  };

/** What a promise of the workflow waits for, until resolve settles it. */
export type Request =
  | {
    type: 'agent';
    id: RequestId;
    /** What the workflow asks; may be empty. */
    prompt: string;
    /** What the workflow passed beside the prompt, such as a phase or a JSON Schema for the answer. */
    options?: Record<string, unknown>;
  }
  | {
    type: 'workflow';
    id: RequestId;
    ref: WorkflowRef;
    /** The child workflow's args: any JSON. Left out where the workflow passed undefined. */
    args?: unknown;
  }
  | {
    type: 'sleep';
    id: RequestId;
    /** How long to wait, in milliseconds, rounded up. */
    durationMs: number;
  }
  | {
    type: 'sandbox_exec';
    id: RequestId;
    /** Name of a set of programs and rights that the host knows. */
    profile: string;
    request: ExecRequest;
  }
  | {
    type: 'ask';
    id: RequestId;
    /** What a person is asked. */
    question: string;
    /** A JSON Schema that the answer has to satisfy. */
    schema?: Record<string, unknown> | boolean;
    /** What may be chosen: the value of one of them is the answer, and nothing else is. */
    choices?: AskChoice[];
    /** What the question is called. */
    label?: string;
  };

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

/** How a request was settled. */
export type Resolution =
  | {
    type: 'ok';
    /** What the workflow's promise becomes: any JSON. */
    value: unknown;
    /** A new budget, visible to the code that resumes. */
    budget?: Budget;
  }
  | {
    type: 'ok_undefined';
  }
  | {
    type: 'error';
    /** Message of the Error. */
    message: string;
  };

/** One outstanding request and how it was settled. */
export type Settlement = {
  /** The id that the child gave the request. One that is not outstanding is error unknown_request. */
  id: string;
  resolution: Resolution;
};

/** What the workflow came to. */
export type Output = {
  /** The workflow's result by JSON's rules: any JSON, null for undefined. */
  result: unknown;
};

/** Something the workflow's author should know that is no error. Further members depend on the kind. */
export type Diagnostic = {
  /** Name of the kind, for programs. */
  kind: string;
  /** One sentence for the author. */
  message: string;
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

/** What the workflow did since the last message that handed it out, and where it stands. */
export type Drained = {
  /** In the order they were made. */
  calls: Call[];
  /** In the order of their ids, each handed out once. */
  requests: Request[];
  /**
   * Nothing is queued, nothing is outstanding and the workflow is not done: it can never finish. Left out:
   * false.
   */
  stalled?: boolean;
  /**
   * The run failed, and what stands here came before; the next message is answered with the failure. Left
   * out: false.
   */
  more?: boolean;
  /** Notes for the workflow's author that were not handed out before. Left out where there are none. */
  diagnostics?: Diagnostic[];
} & (
  | {
    state: 'pending';
  }
  | {
    state: 'complete';
    /** Only read where the state is complete. */
    output: Output;
  }
);

/** One thing that happened, as poll reports it. */
export type Event =
  | {
    type: 'call';
    call: Call;
  }
  | {
    type: 'request';
    request: Request;
  }
  | {
    type: 'complete';
    output: Output;
  }
  | {
    type: 'pending';
    /** Nothing is queued, nothing is outstanding and the workflow is not done: it can never finish. */
    stalled: boolean;
  };

/** What ended a run. It is final: poll, take and drain repeat it. */
export type Failure = {
  /** Name of the error, such as TypeError; null where what was thrown is no error. */
  name: string | null;
  /** What it says. */
  message: string;
  /** The author's frames, one a line, the innermost first; may be empty. */
  stack: string;
  /** What the source is called, where it did not compile. */
  sourceName?: string;
  /** Where it did not compile: line, from 1. */
  line?: number;
  /** Where it did not compile: column, from 1. */
  column?: number;
  /** What an import names. */
  specifier?: string;
  /** The error's own cause, described like this one. */
  cause?: unknown;
  /** The errors of an AggregateError, each described like this one. */
  errors?: unknown;
  /** Type, id and label of the request whose rejection it is. */
  request?: unknown;
};

/**
 * Why a message was not carried out: the error member of a JSON-RPC 2.0 reply. Programs branch on data.kind;
 * the code follows from it.
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
      /** JSON Pointer (RFC 6901) into params. */
      path: string;
      /** What is wrong there. */
      message: string;
      /** $id of the schema that refused it. */
      schema: string;
    };
  }
  | {
    code: -32603;
    data: {
      kind: 'internal';
    };
  }
  | {
    code: -32000;
    data: Failure & {
      kind: 'exception';
    };
  }
  | {
    code: -32001;
    data: Failure & {
      kind: 'syntax';
    };
  }
  | {
    code: -32002;
    data: Failure & {
      kind: 'import';
    };
  }
  | {
    code: -32003;
    data: Failure & {
      kind: 'missing_default';
    };
  }
  | {
    code: -32004;
    data: Failure & {
      kind: 'timeout';
    };
  }
  | {
    code: -32005;
    data: Failure & {
      kind: 'memory';
    };
  }
  | {
    code: -32006;
    data: Failure & {
      kind: 'stack';
    };
  }
  | {
    code: -32007;
    data: Failure & {
      kind: 'serialization';
    };
  }
  | {
    code: -32008;
    data: Failure & {
      kind: 'limit';
    };
  }
  | {
    code: -32020;
    data: {
      kind: 'unknown_request';
      /** The id that resolve or advance carried. */
      id: string;
      /** Which turn of advance has it; the first is 0. */
      turn?: number;
    };
  }
  | {
    code: -32021;
    data: {
      kind: 'invalid_state';
      /** Where the child stands. */
      state: string;
    };
  }
  | {
    code: -32022;
    data: {
      kind: 'message_too_large';
      /** Most bytes a line may have. Left out where bytes were not the reason. */
      limit?: number;
    };
  }
  | {
    code: -32023;
    data: {
      kind: 'isolation_unavailable';
      /** Names of the layers that are missing. */
      layers: string[];
    };
  }
  | {
    code: -32024;
    data: {
      kind: 'protocol_version';
      /** The versions that it speaks. */
      supported: string[];
    };
  }
);

/** Settle requests and run the workflow on: turn after turn, until the run ends or no turn is left. */
export type AdvanceParams = {
  /**
   * Each turn settles its requests, in their order, and runs to quiet in a step of its own. An id that is not
   * outstanding then, or that a turn has twice, is error unknown_request: of that turn nothing is settled,
   * and those before it stay applied.
   */
  turns: Settlement[][];
};

/**
 * The workflow ran to quiet after the last turn, or ended in one before it; everything it did since the last
 * message, and where it stands.
 */
export type AdvanceResult = Drained;

/** Compile one workflow and read its meta; none of its code runs. */
export type CheckParams = {
  source: Source;
  sourceName?: SourceName;
  dialect?: Dialect;
  modules?: Modules;
  /**
   * Whether the result shall have what a reader of the source finds to be wrong; initialize must have said so
   * with reads. Older children ignore it. Default: false.
   */
  findings?: boolean;
  /**
   * Whether the result shall have the outline of the source; initialize must have said so with reads. Older
   * children ignore it. Default: false.
   */
  outline?: boolean;
};

/** The workflow compiles. */
export type CheckResult = {
  /** Which dialect the source turned out to be. */
  dialect: 'module' | 'script';
  /** The literal that the source exports as meta: any JSON, null where it exports none. */
  meta: unknown;
  /**
   * What is probably wrong with the source, by line and column; at most 100. Only where it was asked for,
   * here and by reads in initialize, and not from older children.
   */
  findings?: Finding[];
  /**
   * The calls of the source and what they are in, for people: its members may grow. Only where findings would
   * be.
   */
  outline?: Record<string, unknown>;
};

/** None: an empty object, or no params at all. */
export type DrainParams = Record<string, unknown>;

/** The workflow ran to quiet; everything it did since the last message, and where it stands. */
export type DrainResult = Drained;

/**
 * Ask which modules beside it a source imports; none of its code runs. A child that has this method takes
 * modules in start, run and check.
 */
export type ImportsParams = {
  source: Source;
  sourceName?: SourceName;
  dialect?: Dialect;
};

/** What the import declarations of a source name that begins with ./ or ../, each once. */
export type ImportsResult = {
  /** In the order of the source. */
  imports: ({
    /** As it is written. */
    specifier: string;
    /** From 1. Left out, with column, where the place is not known. */
    line?: number;
    /** From 1, in characters. */
    column?: number;
  })[];
};

/**
 * The first message: agree on the version, set the limits, close the cage. Answered before any source can
 * arrive.
 */
export type InitializeParams = {
  /**
   * Version of the wire contract that the host speaks. One that the child does not speak is error
   * protocol_version.
   */
  protocolVersion: string;
  /** What drives the child. */
  client?: Peer;
  /** What the run may use. */
  limits?: Limits;
  /**
   * strict: a layer that cannot be applied is error isolation_unavailable. best_effort: go on and say so.
   * none: apply nothing. Left out: strict on Linux, best_effort elsewhere.
   */
  isolation?: 'strict' | 'best_effort' | 'none';
  /**
   * Whether check will be asked for findings or for an outline: what these take is loaded before the cage
   * closes. Older children ignore it. Default: false.
   */
  reads?: boolean;
};

/** The cage is closed: what the child is, and what holds it. */
export type InitializeResult = {
  /** Version of the wire contract from here on. */
  protocolVersion: string;
  /** The child. */
  server: Peer;
  /** The JavaScript engine. */
  engine: Peer;
  limits: EffectiveLimits;
  /** Each layer of the cage by its name. */
  isolation: Record<string, Layer>;
  /** Longest line in either direction, in bytes, its newline not counted. */
  maxMessageBytes: number;
  /** The methods that the child has. Left out: it is older than run and advance, and has neither. */
  methods?: string[];
};

/** None: an empty object, or no params at all. */
export type PollParams = Record<string, unknown>;

/** The workflow ran to quiet; the oldest call, else the oldest untaken request, else completion, else pending. */
export type PollResult = Event;

/**
 * Carry out turns that another child was told, as so many advance with one turn each, and hand out together
 * what each of them has queued.
 */
export type ReplayParams = {
  /**
   * Each turn settles its requests, in their order, and runs to quiet in a step of its own. A turn with an id
   * that is not outstanding then, or that it has twice, is not carried out, and none behind it; in the first
   * turn that is error unknown_request.
   */
  turns: Settlement[][];
};

/**
 * What all turns that were carried out have queued, one after the other, also requests that a later one of
 * them has settled; and where the workflow stands after the last. The child may answer before all turns are
 * carried out, and is sent the others again.
 */
export type ReplayResult = Drained & {
  /** How many of the requests each turn has queued that was carried out. */
  counts: number[];
};

/** Settle one outstanding request; the workflow resumes at the next poll, take, drain or advance. */
export type ResolveParams = {
  /** The id that the child gave the request. One that is not outstanding is error unknown_request. */
  id: string;
  resolution: Resolution;
};

/** The request is settled. An empty object. Members are ignored. */
export type ResolveResult = Record<string, unknown>;

/**
 * Compile one workflow and run it to quiet: start and the first drain in one message. A child runs one
 * workflow.
 */
export type RunParams = {
  source: Source;
  sourceName?: SourceName;
  /** What the workflow sees as args: any JSON; {} when left out. */
  args?: unknown;
  /** What the workflow sees as budget; no ceiling and nothing spent when left out. */
  budget?: Budget;
  dialect?: Dialect;
  /** Whether the answer tells the dialect. Left out: false. */
  describe?: boolean;
  limits?: RunLimits;
  modules?: Modules;
};

/** The workflow compiled and ran to quiet; everything it did, and where it stands. */
export type RunResult = Drained & {
  /**
   * Which dialect the source turned out to be. Left out unless describe was true, and where the child cannot
   * tell.
   */
  dialect?: 'module' | 'script';
};

/** None: an empty object, or no params at all. */
export type ShutdownParams = Record<string, unknown>;

/** The child leaves with exit status 0. An empty object. Members are ignored. */
export type ShutdownResult = Record<string, unknown>;

/**
 * Ask where in its source the workflow made the requests that are outstanding. None of its code runs. Members
 * are ignored.
 */
export type SitesParams = Record<string, unknown>;

/** The place in the author's file of the innermost call that led to each outstanding request. */
export type SitesResult = {
  /** In the order in which they were made. */
  sites: ({
    /** The id of the request. */
    id: string;
    /** From 1. Left out, with column, where the place is not known. */
    line?: number;
    /** From 1, in UTF-16 code units. */
    column?: number;
    /**
     * The source, or the module, that the place is in. Left out where the place is not known, and by older
     * children.
     */
    sourceName?: string;
  })[];
};

/** Compile one workflow; none of its code runs yet. A child runs one workflow. */
export type StartParams = {
  source: Source;
  sourceName?: SourceName;
  /** What the workflow sees as args: any JSON; {} when left out. */
  args?: unknown;
  /** What the workflow sees as budget; no ceiling and nothing spent when left out. */
  budget?: Budget;
  dialect?: Dialect;
  /** Whether the answer tells the dialect. Left out: false. */
  describe?: boolean;
  limits?: RunLimits;
  modules?: Modules;
};

/** The workflow compiled. An empty object, unless describe was true. */
export type StartResult = {
  /**
   * Which dialect the source turned out to be. Left out unless describe was true, and where the child cannot
   * tell or is older than describe.
   */
  dialect?: 'module' | 'script';
};

/** None: an empty object, or no params at all. */
export type TakeParams = Record<string, unknown>;

/** The workflow ran to quiet; every queued request, each handed out once. */
export type TakeResult = {
  /** In the order of their ids. */
  requests: Request[];
};

/** Every method of the child: what it takes and what it answers. */
export interface Methods {
  advance: { params: AdvanceParams; result: AdvanceResult };
  check: { params: CheckParams; result: CheckResult };
  drain: { params: DrainParams; result: DrainResult };
  imports: { params: ImportsParams; result: ImportsResult };
  initialize: { params: InitializeParams; result: InitializeResult };
  poll: { params: PollParams; result: PollResult };
  replay: { params: ReplayParams; result: ReplayResult };
  resolve: { params: ResolveParams; result: ResolveResult };
  run: { params: RunParams; result: RunResult };
  shutdown: { params: ShutdownParams; result: ShutdownResult };
  sites: { params: SitesParams; result: SitesResult };
  start: { params: StartParams; result: StartResult };
  take: { params: TakeParams; result: TakeResult };
}

/** What programs branch on when a request was refused or a run failed. */
export type ErrorKind = ErrorObject['data']['kind'];
