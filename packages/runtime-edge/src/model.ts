/** A loaded model: calls go through the queue to the supervised engine and come back as what the task means. */
import { DistillateError, type Manifest, type Ranked, softmax, topK, type Variant } from "@distillate/bundle";
import type { BackendName } from "./backends/backend.ts";
import { callSignal } from "./call-signal.ts";
import type { Capabilities } from "./capabilities.ts";
import type { EngineInput, EngineOutput, TensorValues } from "./engine/engine.ts";
import type { OnEvent, RunTimes } from "./events.ts";
import { type ModelInput, takeInput } from "./input/take-input.ts";
import { orAborted } from "./or-aborted.ts";
import type { Candidate, Refusal } from "./planner.ts";
import { createQueue, type QueueOptions } from "./queue.ts";
import type { SelfTestReport } from "./self-test.ts";
import { createLatencyWindow, type ModelStats } from "./stats.ts";
import type { Supervisor } from "./supervisor.ts";
import type { UpdateCheck } from "./update.ts";

/** Choices of one call. */
export interface RunOptions {
  /** Gives the call up: it rejects at once with the signal's reason, and work under way is stopped. */
  readonly signal?: AbortSignal;
  /** Milliseconds from call to result, waiting included. */
  readonly timeout?: number;
  /** How many classes `top` lists; the bundle says how many without it. */
  readonly topK?: number;
}

/** What a classifier answers. */
export interface Classification {
  readonly label: string;
  readonly index: number;
  /** Probability of the best class, 0 to 1. */
  readonly score: number;
  /** The best classes, best first. */
  readonly top: readonly Ranked[];
  readonly milliseconds: RunTimes;
}

/** How it came to the backend that serves. */
export interface PlanReport {
  readonly chosen: Candidate;
  readonly selfTest: SelfTestReport | undefined;
  /** What was left out or failed, with reasons; what was slower, with its time. */
  readonly refused: readonly Refusal[];
}

/** A model that runs. Backend, variant and plan change when a device stops to serve the first choice. */
export interface Model {
  readonly manifest: Manifest;
  readonly backend: BackendName;
  readonly variant: Variant;
  readonly plan: PlanReport;
  /** Classifies one sample. */
  run(input: ModelInput, options?: RunOptions): Promise<Classification>;
  /** Classifies several samples in one call of the model. */
  run(inputs: readonly ModelInput[], options?: RunOptions): Promise<readonly Classification[]>;
  /** Runs on tensors as they are, and returns outputs as they are. */
  runTensors(
    tensors: Readonly<Record<string, TensorValues>>,
    options?: RunOptions,
  ): Promise<Readonly<Record<string, TensorValues>>>;
  /** Runs on nothing in particular, so that the first real call is as fast as the others; returns milliseconds of each run. */
  warmup(runs?: number): Promise<readonly number[]>;
  /** Computes the bundle's probe on this device, now. */
  selfTest(): Promise<SelfTestReport>;
  stats(): ModelStats;
  capabilities(): Promise<Capabilities>;
  /** Looks for another version where this one came from. */
  checkForUpdate(options?: { readonly signal?: AbortSignal }): Promise<UpdateCheck>;
  /** Ends the worker, refuses what waits, and frees all memory. Calling it again does nothing. */
  dispose(): Promise<void>;
}

/** What a model is made of. */
export interface ModelParts {
  readonly manifest: Manifest;
  /** The way that serves now; another one after the first fails for good. */
  readonly serving: () => PlanReport;
  readonly supervisor: Supervisor;
  readonly queue: QueueOptions;
  readonly timeout: number | undefined;
  readonly onEvent: OnEvent;
  readonly probe: (run: (input: EngineInput) => Promise<EngineOutput>) => Promise<SelfTestReport>;
  readonly capabilities: () => Promise<Capabilities>;
  readonly checkForUpdate: (signal: AbortSignal | undefined) => Promise<UpdateCheck>;
}

/** Puts a model together. */
export function createModel(parts: ModelParts): Model {
  const { manifest, supervisor, onEvent } = parts;
  const queue = createQueue(parts.queue);
  const latency = createLatencyWindow();
  let disposing: Promise<void> | undefined;

  const call = async (
    take: () => Promise<{ readonly input: EngineInput; readonly release: () => void }>,
    options: RunOptions,
  ): Promise<{ readonly outputs: EngineOutput["outputs"]; readonly milliseconds: RunTimes }> => {
    if (disposing) throw disposed();
    const from = performance.now();
    const limit = callSignal(options.signal, options.timeout ?? parts.timeout);
    const { signal } = limit;
    // A picture is taken now, its place in the queue too: calls are answered in the order in which they were made.
    const taking = take();
    taking.catch(limit.abort);
    try {
      let begun = from;
      const { outputs, milliseconds } = await queue.push(async () => {
        begun = performance.now();
        const { input } = await orAborted(taking, signal);
        return supervisor.run(input, signal);
      }, signal);
      const times = { queue: begun - from, ...milliseconds, total: performance.now() - from };
      latency.add(times);
      onEvent({ kind: "run", milliseconds: times, waiting: queue.waiting });
      return { outputs, milliseconds: times };
    } catch (caught) {
      const error = disposing ? disposed() : caught;
      latency.fail();
      onEvent({
        kind: "run-failed",
        code: (error as { code?: string }).code ?? "aborted",
        message: (error as Error).message,
      });
      throw error;
    } finally {
      void taking.then(({ release }) => release()).catch(() => {});
      limit.release();
    }
  };

  const classify = async (inputs: readonly ModelInput[], options: RunOptions): Promise<readonly Classification[]> => {
    const { outputs, milliseconds } = await call(() => takeInput(inputs, manifest), options);
    const { data } = outputs[manifest.outputs[0]!.name]!;
    const classes = data.length / inputs.length;
    return inputs.map((_, row) => {
      const scores = softmax(Float32Array.from(data.subarray(row * classes, (row + 1) * classes) as Float32Array));
      const top = topK(scores, manifest.labels, options.topK ?? manifest.postprocess.topK);
      const { label, index, score } = top[0] ?? topK(scores, manifest.labels, 1)[0]!;
      return { label, index, score, top, milliseconds };
    });
  };

  function run(input: ModelInput, options?: RunOptions): Promise<Classification>;
  function run(inputs: readonly ModelInput[], options?: RunOptions): Promise<readonly Classification[]>;
  async function run(
    input: ModelInput | readonly ModelInput[],
    options: RunOptions = {},
  ): Promise<Classification | readonly Classification[]> {
    if (Array.isArray(input)) return classify(input, options);
    return (await classify([input as ModelInput], options))[0]!;
  }

  const runTensors: Model["runTensors"] = async (tensors, options = {}) =>
    (await call(async () => ({ input: { kind: "tensors", tensors }, release: () => {} }), options)).outputs;

  return {
    manifest,
    get backend() {
      return parts.serving().chosen.backend;
    },
    get variant() {
      return manifest.variants.find(({ id }) => id === parts.serving().chosen.variant)!;
    },
    get plan() {
      const { chosen, selfTest, refused } = parts.serving();
      return { chosen, selfTest, refused };
    },
    run,
    runTensors,
    async warmup(runs = 3) {
      const zeros = Object.fromEntries(
        manifest.inputs.map(({ name, shape }) => {
          const dims = shape.map((side) => (typeof side === "number" ? side : 1));
          return [name, { data: new Float32Array(dims.reduce((product, side) => product * side, 1)), dims }];
        }),
      );
      const times: number[] = [];
      for (let i = 0; i < runs; i++) {
        const from = performance.now();
        await runTensors(zeros);
        times.push(performance.now() - from);
      }
      return times;
    },
    selfTest: () =>
      parts.probe(async (input) => {
        const { outputs, milliseconds } = await call(async () => ({ input, release: () => {} }), {});
        return { outputs, milliseconds };
      }),
    stats: () => ({
      runs: latency.runs,
      failures: latency.failures,
      waiting: queue.waiting,
      restarts: supervisor.restarts,
      heapBytes: supervisor.heapBytes,
      latency: latency.percentiles(),
    }),
    capabilities: parts.capabilities,
    checkForUpdate: ({ signal } = {}) => parts.checkForUpdate(signal),
    dispose() {
      disposing ??= (async () => {
        queue.clear(disposed());
        await supervisor.dispose();
      })();
      return disposing;
    },
  };
}

function disposed(): DistillateError {
  return new DistillateError({
    code: "disposed",
    message: "the model was disposed",
    hint: "Load it again; from the device's cache that takes a moment.",
  });
}
