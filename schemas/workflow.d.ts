/**
 * Types for flowcage workflows: what a workflow finds when it runs.
 *
 * For TypeScript 5.4 or newer with `"strict": true`, `"lib": ["es2023"]`, `"types": []`; JavaScript also with
 * `"checkJs": true`.
 * A script's top-level `return` is error TS1108 to TypeScript; a default function says the same without it.
 *
 * A run is a function of its source, its args and the host's answers, so there is no clock, randomness, timer,
 * network, file or dynamic code: no console, process or setTimeout either, and Math.random throws.
 * "es2023" declares these all the same, but a workflow does not have them:
 * ArrayBuffer, Atomics, BigInt64Array, BigUint64Array, DataView, Date, FinalizationRegistry, Float32Array,
 * Float64Array, Function, Int16Array, Int32Array, Int8Array, Intl, SharedArrayBuffer, Uint16Array, Uint32Array,
 * Uint8Array, Uint8ClampedArray, WeakRef, eval.
 */

/** The workflow's input. Frozen to its leaves; `{}` where the host gave none. */
declare const args: DeepReadonly<WorkflowArgs>;

/**
 * The tokens that this run may use: once they are spent, `agent()` has no answer, unless the host only informs of it.
 * The host counts; a new count shows when an awaited answer arrives.
 */
declare const budget: WorkflowBudget;

/**
 * Asks an agent. Starts at once, and resolves to the agent's text, or to the value that `options.schema` asks for.
 *
 * There is no answer when the agent fails, when its second answer does not satisfy the schema either, and when the
 * run's budget or its number of calls is used up. Then a script gets null, and the run's diagnostics say why; in a
 * module the call rejects with an Error. The host can choose one of the two for both dialects. Options out of range
 * reject in both. Throws a TypeError at once for a prompt that is no string or for options that JSON cannot hold.
 *
 * @typeParam T type of the answer, as you know it; nothing checks it at run time but `options.schema`
 */
declare function agent<T = string>(
  prompt: string,
  options: AgentOptions & { readonly handle: true; readonly schema?: null | undefined },
): Promise<AgentAnswered<NoInfer<T>>>;
declare function agent<T = any>(prompt: string, options: AgentOptions & { readonly handle: true }): Promise<AgentAnswered<T>>;
declare function agent<T = string>(
  prompt: string,
  options?: (AgentOptions & { readonly schema?: null | undefined }) | null,
): Promise<NoInfer<T>>;
declare function agent<T = any>(prompt: string, options: AgentOptions): Promise<T>;

/**
 * Runs another workflow and resolves to its result.
 *
 * Rejects with an Error when the host does not run it or it fails, and when the run's number of child workflows is
 * used up. Throws a TypeError at once for a wrong `ref` or for args that JSON cannot hold.
 *
 * @param ref a name that the host knows, or a file's path relative to this workflow's
 * @param input the other workflow's args; left out, the host's default
 */
declare function workflow<T = any>(ref: string | { readonly scriptPath: string }, input?: unknown): Promise<T>;

/** Tells the host values as they are now, by JSON's rules. Throws a TypeError for cycles and BigInts. */
declare function log(...values: unknown[]): void;

/** Begins a phase: from now on, `agent()` without a `phase` option belongs to it. Throws a TypeError for no string. */
declare function phase(name: string, options?: PhaseOptions | null): void;

/**
 * Calls all functions at once and resolves, in their order, to what they return when the slowest is done.
 *
 * One that throws or rejects becomes null; the run's diagnostics say why. Rejects with a TypeError, before any is
 * called, if one is no function: pass `() => agent("…")`, not `agent("…")`.
 */
declare function parallel<T extends readonly (() => unknown)[] | []>(
  tasks: T,
): Promise<{ -readonly [K in keyof T]: Awaited<ReturnType<T[K]>> | null }>;

/**
 * Sends each item through the stages in turn and resolves, in the items' order, to what the last stage returns.
 * No item waits for another.
 *
 * A stage gets the result of the stage before (the first one: the item), the item, and its index from 0. An item
 * becomes null, and skips the stages left, when a stage throws or rejects; the run's diagnostics say why. Rejects
 * with a TypeError, before any stage is called, if `items` is no array or a stage is no function.
 */
declare function pipeline<I>(items: readonly I[]): Promise<(Awaited<I> | null)[]>;
declare function pipeline<I, A>(items: readonly I[], a: PipelineStage<I, I, A>): Promise<(A | null)[]>;
declare function pipeline<I, A, B>(
  items: readonly I[],
  a: PipelineStage<I, I, A>,
  b: PipelineStage<A, I, B>,
): Promise<(B | null)[]>;
declare function pipeline<I, A, B, C>(
  items: readonly I[],
  a: PipelineStage<I, I, A>,
  b: PipelineStage<A, I, B>,
  c: PipelineStage<B, I, C>,
): Promise<(C | null)[]>;
declare function pipeline<I, A, B, C, D>(
  items: readonly I[],
  a: PipelineStage<I, I, A>,
  b: PipelineStage<A, I, B>,
  c: PipelineStage<B, I, C>,
  d: PipelineStage<C, I, D>,
): Promise<(D | null)[]>;
declare function pipeline<I, A, B, C, D, E>(
  items: readonly I[],
  a: PipelineStage<I, I, A>,
  b: PipelineStage<A, I, B>,
  c: PipelineStage<B, I, C>,
  d: PipelineStage<C, I, D>,
  e: PipelineStage<D, I, E>,
): Promise<(E | null)[]>;
declare function pipeline<I>(
  items: readonly I[],
  a: PipelineStage<any, I, any>,
  b: PipelineStage<any, I, any>,
  c: PipelineStage<any, I, any>,
  d: PipelineStage<any, I, any>,
  e: PipelineStage<any, I, any>,
  f: PipelineStage<any, I, any>,
  ...more: PipelineStage<any, I, any>[]
): Promise<any[]>;

/** The members of 'workflow:extra' and 'workflow:sandbox' without an import. */
declare const SW: { readonly extra: WorkflowExtra; readonly sandbox: WorkflowSandbox };

declare module 'workflow:extra' {
  export const sleep: WorkflowExtra['sleep'];
  export const ask: WorkflowExtra['ask'];
  const extra: WorkflowExtra;
  export default extra;
}

declare module 'workflow:sandbox' {
  export const exec: WorkflowSandbox['exec'];
  const sandbox: WorkflowSandbox;
  export default sandbox;
}

interface WorkflowExtra {
  /**
   * Waits on the host's clock.
   *
   * Throws at once: a TypeError unless `ms` is a finite number of at least 0, a RangeError beyond the host's limit
   * (365 days unless it sets another).
   *
   * @param ms milliseconds, rounded up to a whole one
   */
  readonly sleep: (ms: number) => Promise<void>;

  /**
   * Asks a person, and resolves to the answer, however long that takes.
   *
   * Rejects with an Error where the host asks nobody, where the person refuses, and where `schema` is none. Throws a
   * TypeError at once for an empty question, and for options of another form.
   *
   * @typeParam T type of the answer, as you know it; nothing checks it at run time but `options`
   */
  readonly ask: <T = any>(question: string, options?: AskOptions | null) => Promise<T>;
}

interface WorkflowSandbox {
  /**
   * Has the host run a program, and resolves to what the host reports of it.
   *
   * Rejects with an Error where the host refuses. Throws a TypeError at once for a wrong `request`.
   *
   * @param profile name of a set of programs and rights that the host knows
   */
  readonly exec: <T = any>(profile: string, request: ExecRequest) => Promise<T>;
}

/** Options of `ask()`. */
interface AskOptions {
  /** The JSON Schema that the answer must satisfy. Left out: the answer may be any JSON. */
  readonly schema?: { readonly [keyword: string]: unknown } | boolean | null | undefined;
  /** What may be answered: one of these texts, or the value of one of these. Left out: anything that fits `schema`. */
  readonly options?: readonly (string | { readonly label: string; readonly value: unknown })[] | null | undefined;
  /** What the question is called. */
  readonly label?: string | null | undefined;
}

/** A program for the host to run. */
interface ExecRequest {
  readonly command: string;
  /** Its arguments, without the program's own name. */
  readonly args?: readonly string[] | null | undefined;
  /** Its working folder. */
  readonly cwd?: string | null | undefined;
  /** Its environment variables, added to the profile's. */
  readonly env?: { readonly [name: string]: string } | null | undefined;
  /** What it reads from its standard input. */
  readonly stdin?: string | null | undefined;
}

interface WorkflowBudget {
  /** The ceiling in tokens; null where there is none. */
  readonly total: number | null;
  /** Tokens used so far. */
  readonly spent: () => number;
  /** Tokens left, never below 0; Infinity where there is no ceiling. */
  readonly remaining: () => number;
}

/**
 * Options of `agent()`. Other keys reach what answers, too; all cross by JSON's rules. An agent of flowcage's own that
 * cannot follow an option refuses the call, and `agent()` rejects with its name; null is as good as leaving it out.
 */
interface AgentOptions {
  /** What progress calls this request. */
  readonly label?: string | null | undefined;
  /** The phase it belongs to. Left out: that of the last `phase()`. */
  readonly phase?: string | null | undefined;
  /** The JSON Schema that the answer must satisfy. */
  readonly schema?: { readonly [keyword: string]: unknown } | boolean | null | undefined;
  /** Which model should answer. Left out: that of the phase's entry in `meta.phases`, or the host's. */
  readonly model?: string | null | undefined;
  /** Whose model should answer. Left out: as for `model`. */
  readonly provider?: string | null | undefined;
  /** Asks again when an attempt is rejected or takes longer than `timeoutMs`. Left out: no second attempt. */
  readonly retry?: AgentRetry | null | undefined;
  /** Milliseconds that one attempt may take, from 1. Left out: as long as the host allows. */
  readonly timeoutMs?: number | null | undefined;
  /** How hard the model should think, such as `'low'`, `'high'` or `'max'`; which there are depends on the model. */
  readonly effort?: string | null | undefined;
  /** Name of the kind of agent that should answer: its instructions and tools are the host's. */
  readonly agentType?: string | null | undefined;
  /** `'worktree'`: the agent works on a copy of the host's git repository, where it disturbs nobody. */
  readonly isolation?: 'worktree' | null | undefined;
  /** Resolve to `{value, handle}`, so that a later call can continue this conversation. */
  readonly handle?: boolean | null | undefined;
  /** The handle of an earlier answer of this run: goes on with that conversation. */
  readonly continue?: string | null | undefined;
  readonly [option: string]: unknown;
}

/** What `agent()` resolves to with `{handle: true}`. */
interface AgentAnswered<T> {
  readonly value: T;
  /** For `options.continue`, in this run and its child workflows. */
  readonly handle: string;
}

/** How `agent()` is asked again. A value out of range, or another member, makes `agent()` reject. */
interface AgentRetry {
  /** Attempts in all, the first one included: a whole number from 1 (the default) to 10. */
  readonly maxAttempts?: number | null | undefined;
  /** Milliseconds before the second attempt, from 0 (the default); they double before each further one. */
  readonly backoffMs?: number | null | undefined;
}

/** Options of `phase()`. Other keys reach the host, too; all cross by JSON's rules. */
interface PhaseOptions {
  readonly detail?: string | null | undefined;
  readonly [option: string]: unknown;
}

/** A function of `pipeline()`. */
type PipelineStage<Value, Item, Result> = (value: Value, item: Item, index: number) => Result | PromiseLike<Result>;

/** `export const meta`: a literal, read without running the workflow; a run refuses anything else. Other keys are kept. */
interface WorkflowMeta {
  readonly name: string;
  readonly description?: string;
  readonly phases?: readonly WorkflowPhase[];
  readonly [key: string]: unknown;
}

/** A phase that the workflow announces. */
interface WorkflowPhase {
  /** The name that `phase()` is called with. */
  readonly title: string;
  readonly detail?: string;
  /** Options of its `agent()` calls that do not have them. */
  readonly model?: string;
  readonly provider?: string;
  readonly effort?: string;
  readonly agentType?: string;
}

/**
 * What `args` holds: whatever the host gave, which need not be an object.
 *
 * Declare what you expect: `interface WorkflowArgs { topic?: string }` (in a module, inside `declare global`).
 */
interface WorkflowArgs {
  [name: string]: any;
}

/**
 * The second parameter of a default function: the globals again.
 *
 * JavaScript declares it in the function's JSDoc: `@param {WorkflowContext} context`.
 */
interface WorkflowContext<Args = WorkflowArgs> {
  readonly args: DeepReadonly<Args>;
  readonly budget: typeof budget;
  readonly agent: typeof agent;
  readonly workflow: typeof workflow;
  readonly log: typeof log;
  readonly phase: typeof phase;
  readonly parallel: typeof parallel;
  readonly pipeline: typeof pipeline;
  readonly extra: WorkflowExtra;
  readonly sandbox: WorkflowSandbox;
}

/** A default function. */
type Workflow<Args = WorkflowArgs, Result = unknown> = (
  args: DeepReadonly<Args>,
  context: WorkflowContext<Args>,
) => Result | PromiseLike<Result>;

/** JSON data that is frozen to its leaves. */
type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;
