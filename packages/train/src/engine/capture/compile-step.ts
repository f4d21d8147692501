/**
 * A training step at graph speed: the first calls run eagerly and are recorded; once two recordings agree node for node, the step
 * is one session run (TensorFlow's `tf.function`, by tracing instead of by source). On the wasm engine it is its kernels one after
 * the other.
 *
 * Whatever JavaScript computes inside of the step is frozen in what was recorded, so it must not change. Per-step values are inputs
 * (tensors) or declared feeds (numbers). What changes all the same is found: by the comparison of the first recordings, and later
 * by {@link CompiledStep.recheck}, which also happens by itself now and then.
 */
import * as tf from "@tensorflow/tfjs-core";
import { tensorflowBackend } from "./binding.ts";
import { recorderOfEngine } from "./engines.ts";
import { type Precision, withoutGraphs } from "./half-precision.ts";
import type { Obstacle, StepProgram, StepRecorder, Traced } from "./step-recorder.ts";

/** Tensors by name. */
export type Tensors = Readonly<Record<string, tf.Tensor>>;

/** A number that lives in JavaScript and may change between steps. */
export interface Feed {
  get(): number;
  set(value: number): void;
}

/** Why a step, or one kind of its inputs, runs eagerly or in another precision than it was to. */
export interface Fallback extends Obstacle {
  /** Steps that may have been run with a value that had changed meanwhile; only where a recheck found that. */
  readonly suspectSteps?: number;
}

/** How {@link compileStep} works. */
export interface CompileOptions {
  /**
   * The tfjs optimiser that the step uses, whose learning rate so becomes a feed; `null` where the rate is an input or there is
   * none. It has to be said, since a rate that changes unseen would be frozen.
   */
  readonly optimizer: tf.Optimizer | null;
  /** Further numbers that may change between steps. */
  readonly feeds?: Readonly<Record<string, Feed>>;
  /** `false` runs every step eagerly. */
  readonly capture?: boolean;
  /** What convolutions multiply in, float32 by default. Only a graph can be told: eager steps compute in float32. */
  readonly precision?: Precision;
  /** Captured steps between two rechecks. */
  readonly recheckEvery?: number;
  /** Called once for each reason why something stays eager. */
  readonly onFallback?: (fallback: Fallback) => void;
}

/** Counts of steps by the way they were run. */
export interface StepStats {
  readonly eager: number;
  readonly recorded: number;
  readonly captured: number;
  /** Programs that were made, one for each kind of inputs. */
  readonly programs: number;
}

/** A step that runs as fast as it can. */
export interface CompiledStep {
  /** Runs one step; the caller disposes of the outputs. */
  run(inputs: Tensors): Tensors;
  /** Has the next step of each kind run eagerly and compares it with its program. */
  recheck(): void;
  /** Brings all variables up to date. Reading one does that too. */
  sync(): void;
  stats(): StepStats;
  /** Frees all programs, after bringing the variables up to date. */
  dispose(): void;
}

const RECHECK_EVERY = 2000;
/** Steps that are recorded before a step counts as one that never settles. */
const MOST_RECORDINGS = 6;
/** Kinds of inputs that get a program; more would mean that shapes change all the time. */
const MOST_PROGRAMS = 8;
/** Relative distance of a feed between two recordings: tells it from every constant, and is nothing to a training. */
const NUDGE = 2 ** -20;
const TINY = 1e-20;

/** Whether some step of this process is being recorded. */
let isRecording = false;

/** One kind of inputs: names, types and shapes. */
interface Kind {
  recordings: number;
  last?: Traced<unknown>;
  outputs?: readonly string[];
  program?: StepProgram;
  /** Captured steps since it was last compared. */
  unchecked: number;
  isDue: boolean;
  isEager: boolean;
}

/**
 * Compiles a step for the engine of this process. An engine that has no recorder runs it as it is.
 *
 * @param step - Takes tensors and gives tensors; it may read and assign variables, and nothing else may depend on how often it
 * was called. It runs inside a `tidy`.
 */
export function compileStep(step: (inputs: Tensors) => Tensors, options: CompileOptions): CompiledStep {
  const { optimizer, precision = "float32", recheckEvery = RECHECK_EVERY, onFallback } = options;
  const feeds: Readonly<Record<string, Feed>> = {
    ...options.feeds,
    ...(optimizer && { learningRate: learningRateOf(optimizer) }),
  };
  const feedValues = Object.fromEntries(Object.entries(feeds).map(([name, feed]) => [name, () => feed.get()]));
  const kinds = new Map<string, Kind>();
  let recorder: StepRecorder<unknown> | undefined;
  const count = { eager: 0, recorded: 0, captured: 0, programs: 0 };
  const reported = new Set<string>();

  const report = (fallback: Fallback): void => {
    const key = `${fallback.op} ${fallback.reason}`;
    if (reported.has(key)) return;
    reported.add(key);
    onFallback?.(fallback);
  };
  const dropProgram = (kind: Kind): void => {
    kind.program?.dispose();
    delete kind.program;
  };
  const keepLast = (kind: Kind, traced?: Traced<unknown>): void => {
    if (kind.last) recorder!.drop(kind.last.recording);
    delete kind.last;
    if (traced) kind.last = traced;
  };
  const stayEager = (kind: Kind, fallback: Fallback): void => {
    dropProgram(kind);
    kind.isEager = true;
    keepLast(kind);
    report(fallback);
  };
  /** A program that no longer says what the step does goes; the step may get another. */
  const startAnew = (kind: Kind, fallback: Fallback): void => {
    dropProgram(kind);
    kind.recordings = 1;
    kind.isEager = count.programs >= MOST_PROGRAMS;
    if (kind.isEager) keepLast(kind);
    report(fallback);
  };

  const runEagerly = (inputs: Tensors): Tensors => {
    count.eager++;
    return tf.tidy(() => step(inputs) as tf.TensorContainerObject) as Tensors;
  };

  const record = (kind: Kind, inputs: Tensors): Tensors => {
    count.recorded++;
    kind.recordings++;
    const nudged = nudge(feeds, kind.recordings);
    let names: readonly string[] = [];
    isRecording = true;
    try {
      const { outputs, recording, obstacle } = recorder!.record(Object.values(inputs), () => {
        // Set inside of the recording: some optimisers keep a tensor of their rate.
        for (const [name, value] of Object.entries(nudged.now)) feeds[name]!.set(value);
        const result = tf.tidy(() => step(inputs) as tf.TensorContainerObject) as Tensors;
        names = Object.keys(result);
        return Object.values(result);
      });
      if (obstacle) stayEager(kind, obstacle);
      else if (recording) settle(kind, { recording, feeds: nudged.now }, names);
      else if (kind.recordings >= MOST_RECORDINGS)
        stayEager(kind, { reason: "the step makes variables, or disposes of them, each time" });
      return Object.fromEntries(names.map((name, i) => [name, outputs[i]!]));
    } finally {
      isRecording = false;
      for (const [name, value] of Object.entries(nudged.before)) feeds[name]!.set(value);
    }
  };

  /** Compares a new recording with the one before; equal ones become a program. */
  const settle = (kind: Kind, traced: Traced<unknown>, names: readonly string[]): void => {
    kind.isDue = false;
    const result = kind.last && recorder!.reconcile(kind.last, traced);
    if (kind.program && result && "load" in result) {
      // The program is what it was made of still.
      recorder!.drop(traced.recording);
      kind.unchecked = 0;
      return;
    }
    keepLast(kind, traced);
    if (result === undefined) return;
    if ("reason" in result) {
      if (kind.program) startAnew(kind, { ...result, suspectSteps: kind.unchecked });
      else if (kind.recordings >= MOST_RECORDINGS) stayEager(kind, result);
      return;
    }
    try {
      kind.program = result.load();
      kind.unchecked = 0;
      kind.outputs = names;
      count.programs++;
    } catch (error) {
      stayEager(kind, { reason: `the engine does not take the recording: ${(error as Error).message}` });
    }
  };

  const kindOf = (inputs: Tensors): Kind => {
    const key = Object.entries(inputs)
      .map(([name, { dtype, shape }]) => `${name} ${dtype} ${shape}`)
      .join(";");
    const known = kinds.get(key);
    if (known) return known;
    const kind: Kind = { recordings: 0, unchecked: 0, isDue: false, isEager: false };
    kinds.set(key, kind);
    if (options.capture === false) {
      kind.isEager = true;
      return kind;
    }
    const fallback = tensorflowBackend() === undefined ? withoutGraphs(precision) : undefined;
    if (fallback) report(fallback);
    recorder ??= recorderOfEngine(precision, Object.keys(feeds).length > 0);
    if (recorder === undefined) kind.isEager = true;
    else if (count.programs >= MOST_PROGRAMS) {
      const reason = `inputs of ${MOST_PROGRAMS} kinds have a program already; further shapes get none`;
      stayEager(kind, { reason });
    }
    return kind;
  };

  const sync = (): void => {
    for (const { program } of kinds.values()) program?.sync();
  };

  return {
    run(inputs) {
      const kind = kindOf(inputs);
      // A program tells neither a recording around it nor a tape what it does.
      if (kind.isEager || isRecording || tf.engine().state.gradientDepth > 0) return runEagerly(inputs);
      const { program } = kind;
      if (program === undefined || kind.isDue || kind.unchecked >= recheckEvery) return record(kind, inputs);
      kind.unchecked++;
      count.captured++;
      const outputs = program.run(Object.values(inputs), feedValues);
      return Object.fromEntries(kind.outputs!.map((name, i) => [name, outputs[i]!]));
    },
    recheck() {
      for (const kind of kinds.values()) kind.isDue = kind.unchecked > 0;
    },
    sync,
    stats: () => ({ ...count }),
    dispose() {
      for (const kind of kinds.values()) {
        kind.program?.dispose();
        keepLast(kind);
      }
      kinds.clear();
    },
  };
}

/** The learning rate of any tfjs optimiser. */
function learningRateOf(optimizer: tf.Optimizer): Feed {
  // Plain gradient descent and momentum keep a tensor of it, which only their own function renews.
  const held = optimizer as unknown as { learningRate: number; setLearningRate?: (rate: number) => void };
  return {
    get: () => held.learningRate,
    set(value) {
      if (held.setLearningRate) held.setLearningRate(value);
      else held.learningRate = value;
    },
  };
}

function nudge(
  feeds: Readonly<Record<string, Feed>>,
  recording: number,
): { readonly before: Readonly<Record<string, number>>; readonly now: Readonly<Record<string, number>> } {
  const before = Object.fromEntries(Object.entries(feeds).map(([name, feed]) => [name, feed.get()]));
  const now = Object.fromEntries(
    Object.entries(before).map(([name, value], place) => {
      const by = NUDGE * (1 + 2 * place + (recording % 2));
      return [name, value === 0 ? TINY * (1 + by) : value * (1 + by)];
    }),
  );
  return { before, now };
}
