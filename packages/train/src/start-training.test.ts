import { createHash } from "node:crypto";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { type ModelConfig, parseConfig } from "./config.ts";
import type { Images } from "./data/dataset.ts";
import { splitTrainValidation } from "./data/split.ts";
import { guide } from "./distill/guide.ts";
import { objectiveOf } from "./distill/objective.ts";
import { tableTeacher } from "./distill/teacher-cache.ts";
import { selectEngine } from "./engine/select.ts";
import { greySquares } from "./grey-squares.test.cases.ts";
import { type TrainOptions, type TrainResult, trainModel } from "./loop.ts";
import { buildModel } from "./models/index.ts";
import { quantizeAware } from "./quantize-aware/quantize-aware.ts";
import { nextUnit, randomFor } from "./random.ts";

/** How long threads look before they sleep, and in which job what becomes of all helpers, where a test says so. */
const how = vi.hoisted(
  (): { look?: number; job?: number; fate?: "failed" | "missing"; refused?: number; usesAllCores?: true } => ({}),
);
vi.mock(import("./thread.ts"), async (original) => {
  const actual = await original();
  return {
    ...actual,
    startThread(module, data) {
      if (how.refused !== undefined && data.self === how.refused) throw new Error("no more threads");
      return actual.startThread(module, data);
    },
  };
});
vi.mock(import("./engine/one-core.ts"), async (original) => {
  const { computesOnOneCore } = await original();
  return { computesOnOneCore: () => !how.usesAllCores && computesOnOneCore() };
});
vi.mock(import("./engine/threads/control.ts"), async (original) => {
  const actual = await original();
  return {
    ...actual,
    openMainControl(memory, patience) {
      const control = actual.openMainControl(memory, {
        ...patience,
        ...(how.look !== undefined && { look: how.look }),
      });
      return {
        ...control,
        close(helpers) {
          const losses = control.close(helpers);
          if (how.job !== undefined) how.job--;
          return how.job === 0 ? { ...losses, [how.fate!]: helpers } : losses;
        },
      };
    },
  };
});

beforeAll(async () => {
  await selectEngine({ engine: "wasm" });
});

const SHAPE = [8, 8, 1] as const;
/** Squares in one of three places, with noise. */
const images: Images = (() => {
  const count = 150;
  const pixels = new Uint8Array(count * 64);
  const classes = Uint16Array.from({ length: count }, (_, i) => i % 3);
  for (let i = 0; i < count; i++) {
    const random = randomFor(5, i);
    for (let p = 0; p < 64; p++) {
      pixels[i * 64 + p] = Math.floor(nextUnit(random) * 120) + (Math.floor(p / 24) === i % 3 ? 80 : 0);
    }
  }
  return { count, shape: SHAPE, pixels, classes };
})();
const preprocess = greySquares(8, { mean: 0.3, std: 0.3 });
// Batches of 48 and a last one of 13.
const split = splitTrainValidation(images.classes, 41, 1);
const CNN = { name: "cnn", filters: [4] as number[], dense: 8, dropout: 0.4 } as const satisfies ModelConfig;
const DS_CNN: ModelConfig = { name: "ds-cnn", filters: 4, blocks: 1, dropout: 0.2 };
const RICH = {
  epochs: 2,
  batchSize: 48,
  labelSmoothing: 0.1,
  augment: { shift: 1, flip: true, erase: 0.3, colour: 0.2, mixup: 0.4, cutmix: 0.5 },
  clipNorm: 0.5,
  average: 0.9,
  optimizer: { name: "adam", learningRate: 0.01, weightDecay: 0.01 },
};

interface Case {
  readonly model?: ModelConfig;
  readonly training?: object;
  readonly distill?: object;
  readonly isRounded?: boolean;
  readonly over?: Partial<TrainOptions>;
}

async function options({ model = CNN, training = {}, distill, isRounded, over = {} }: Case): Promise<TrainOptions> {
  const config = parseConfig({
    name: "t",
    data: { kind: "mnist" },
    teacher: { model: { name: "cnn" } },
    student: { model, training: { ...RICH, ...training } },
    ...(distill && { distill }),
  });
  const built = buildModel(model, { shape: SHAPE, classes: 3, seed: 3 });
  const student = isRounded ? quantizeAware(built).model : built;
  const objective = objectiveOf(config.student.training, distill && config.distill);
  const teacher = buildModel({ ...CNN, filters: [6] }, { shape: SHAPE, classes: 3, seed: 9 });
  const { augment } = config.student.training;
  return {
    model: student,
    images,
    split,
    preprocess,
    training: config.student.training,
    objective,
    ...(distill && guide(student, teacher, objective, { images, preprocess, augment, seed: 3 })),
    seed: 3,
    directory: await mkdtemp(join(tmpdir(), "distillate-workers-")),
    ...over,
  };
}

async function trained(workers: number, how: Case): Promise<{ readonly result: TrainResult; readonly hash: string }> {
  const given = await options(how);
  const result = await trainModel({ ...given, workers });
  const hash = createHash("sha256");
  for (const weight of given.model.getWeights()) hash.update(weight.dataSync<"float32">().slice());
  return { result, hash: hash.digest("hex") };
}

/** The threads that are started from now on, until the test is over. */
function watchThreads(): readonly Worker[] {
  const threads: Worker[] = [];
  const onWorker = (thread: Worker): void => void threads.push(thread);
  process.on("worker", onWorker);
  onTestFinished(() => void process.off("worker", onWorker));
  return threads;
}

const TAPS = [{ student: "conv1", teacher: "conv1" }];
const said = Float32Array.from({ length: 150 * 3 }, (_, i) => Math.sin(i));
const CASES: Readonly<Record<string, Case>> = {
  "labels, dropout, every augmentation, mixing, clipping, decay, average": {},
  "batch normalisation, of the whole batch": { model: DS_CNN },
  "layers of many parts, images that are fed as bytes": {
    model: { name: "cnn", filters: [32], dense: 600, dropout: 0 },
    training: { epochs: 1, augment: { shift: 1 } },
  },
  "maps of many blocks": {
    model: { name: "ds-cnn", filters: 64, blocks: 1, dropout: 0 },
    training: { epochs: 1, augment: {}, optimizer: { name: "sgd", learningRate: 0.05, momentum: 0.9 } },
  },
  "losses that look at maps, a teacher in the step": {
    distill: {
      kd: { weight: { from: 1, to: 0.2, epochs: 2 } },
      fitnet: { taps: TAPS },
      at: { weight: 10, taps: TAPS },
    },
  },
  "losses that compare the samples of a batch": { distill: { rkd: { taps: TAPS }, sp: { taps: TAPS } } },
  "a teacher that is asked, some labels hidden": {
    over: {
      objective: [
        { name: "ce", weight: 0.5 },
        { name: "mse", weight: 0.5 },
      ],
      teacher: tableTeacher({ classes: 3, values: said }, 150),
      hidden: new Set(split.train.filter((_, i) => i % 3 > 0)),
    },
  },
  "a student that learns to be rounded": { model: { ...CNN, dropout: 0 }, isRounded: true },
  sgd: { training: { optimizer: { name: "sgd", learningRate: 0.05, momentum: 0.9 } } },
};

test.each(Object.entries(CASES))("the same bytes whatever the number of workers: %s", async (_name, how) => {
  const one = await trained(1, how);
  const events: object[] = [];
  const onEvent: TrainOptions["onEvent"] = (event) => event.kind === "workers" && events.push(event);
  const several = await trained(3, { ...how, over: { ...how.over, onEvent } });
  const workers = { count: 3, wanted: 3 };
  expect(several.result.workers).toEqual(workers);
  expect(events).toEqual([{ kind: "workers", workers }]);
  expect(several.hash).toBe(one.hash);
  expect(several.result.history).toEqual(one.result.history);
});

test("it makes no difference whether anyone sleeps", async () => {
  const watching = await trained(2, {});
  how.look = 0;
  const sleeping = await trained(2, {});
  delete how.look;
  expect(sleeping.hash).toBe(watching.hash);
});

test("a training goes on with another number of workers, to the same bytes, and nothing is left behind", async () => {
  const whole = await trained(1, { model: DS_CNN });
  const abort = new AbortController();
  const onEvent: TrainOptions["onEvent"] = (event) => event.kind === "step" && event.step === 4 && abort.abort();
  const cut = await options({ model: DS_CNN, over: { signal: abort.signal, onEvent } });
  const before = tf.memory().numTensors;
  const threads = watchThreads();
  await expect(trainModel({ ...cut, workers: 3 })).rejects.toMatchObject({ code: "interrupted" });
  expect(tf.memory().numTensors).toBe(before);
  await vi.waitFor(() => expect(threads.map(({ threadId }) => threadId)).toEqual([-1, -1]), 10_000);
  const resumed = await trained(2, { model: DS_CNN, over: { directory: cut.directory } });
  expect(resumed.hash).toBe(whole.hash);
});

test("a training goes on without a worker that dies, to the same bytes", { timeout: 60_000 }, async () => {
  const whole = await trained(1, { model: DS_CNN });
  const events: object[] = [];
  const threads = watchThreads();
  const onEvent: TrainOptions["onEvent"] = (event) => {
    if (event.kind === "step" && event.step === 2) void threads[1]!.terminate();
    if (event.kind === "workers") events.push(event.workers);
  };
  const left = await trained(3, { model: DS_CNN, over: { onEvent } });
  const gone = { count: 2, wanted: 3, reason: expect.stringContaining("worker 3 is gone") };
  expect(events).toEqual([{ count: 3, wanted: 3 }, gone]);
  expect(left.result.workers).toEqual(gone);
  expect(left.hash).toBe(whole.hash);
});

test.each([1, 9, 30])("what helpers that fail in job %i have left undone is done", async (job) => {
  const whole = await trained(1, { model: DS_CNN });
  Object.assign(how, { job, fate: "failed" });
  const left = await trained(3, { model: DS_CNN });
  delete how.job;
  expect(left.hash).toBe(whole.hash);
});

test("where helpers are nobody knows is an error, and the training goes on from what was saved", async () => {
  const whole = await trained(1, { model: DS_CNN });
  const onEvent: TrainOptions["onEvent"] = (event) => {
    if (event.kind === "epoch") Object.assign(how, { job: 12, fate: "missing" });
  };
  const cut = await options({ model: DS_CNN, over: { onEvent } });
  const before = tf.memory().numTensors;
  await expect(trainModel({ ...cut, workers: 3 })).rejects.toMatchObject({
    code: "worker-died",
    message: expect.stringContaining("worker 2"),
    hint: expect.stringContaining("again"),
  });
  delete how.job;
  expect(tf.memory().numTensors).toBe(before);
  const events: object[] = [];
  const over: Partial<TrainOptions> = { directory: cut.directory, onEvent: (event) => events.push(event) };
  const resumed = await trained(3, { model: DS_CNN, over });
  expect(events).toContainEqual({ kind: "resumed", epoch: 1, step: 3 });
  expect(resumed.result.workers).toEqual({ count: 3, wanted: 3 });
  expect(resumed.hash).toBe(whole.hash);
});

test("workers that cannot be had are told: a thread that does not start, an engine that uses all cores", async () => {
  const whole = await trained(1, {});
  how.refused = 2;
  const fewer = await trained(3, {});
  delete how.refused;
  const reason = expect.stringContaining("not all start: no more threads");
  expect(fewer.result.workers).toEqual({ count: 2, wanted: 3, reason });
  expect(fewer.hash).toBe(whole.hash);
  how.usesAllCores = true;
  const { result } = await trained(3, { training: { epochs: 1 } });
  delete how.usesAllCores;
  expect(result.workers).toEqual({ count: 1, wanted: 3, reason: "the engine uses all cores itself" });
});

test("two trainings at once share the workers of the larger", async () => {
  const alone = [await trained(1, {}), await trained(1, { model: DS_CNN })];
  const threads = watchThreads();
  const together = await Promise.all([trained(2, {}), trained(3, { model: DS_CNN })]);
  expect(threads).toHaveLength(2);
  expect(together.map(({ hash }) => hash)).toEqual(alone.map(({ hash }) => hash));
  expect(together.map(({ result }) => result.workers.count)).toEqual([2, 3]);
});
