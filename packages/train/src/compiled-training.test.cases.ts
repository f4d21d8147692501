/** What a captured training is held to, on whichever engine captures it: the steps of an eager one. A process has one engine. */
import type { PreprocessSpec } from "@distillate/bundle";
import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";
import { beforeAll, expect, test } from "vitest";
import { compileTraining, type TrainingParts } from "./compiled-training.ts";
import { type ModelConfig, parseConfig, type TrainingConfig } from "./config.ts";
import type { Batch } from "./data/batches.ts";
import { normalizePixels } from "./data/fill-inputs.ts";
import { objectiveOf } from "./distill/objective.ts";
import { tapStudent, tapTeacher } from "./distill/taps.ts";
import { type EngineName, selectEngine } from "./engine/select.ts";
import type { DistillConfig } from "./losses/config.ts";
import { buildModel } from "./models/index.ts";
import { quantizeAware } from "./quantize-aware/quantize-aware.ts";
import { averageWeights } from "./weight-average.ts";

const SHAPE = [12, 12, 1] as const;
const CLASSES = 4;
const preprocess: PreprocessSpec = {
  ...{ kind: "image", height: SHAPE[0], width: SHAPE[1], channels: 1, fit: "stretch", layout: "nhwc" },
  ...{ scale: 1 / 255, mean: [0.4], std: [0.3] },
};
const CNN: ModelConfig = { name: "cnn", filters: [4], dense: 8, dropout: 0 };
const NETS: Readonly<Record<string, ModelConfig>> = {
  cnn: CNN,
  "cnn with dropout": { ...CNN, dropout: 0.4 },
  "ds-cnn": { name: "ds-cnn", filters: 6, blocks: 2, dropout: 0.2 },
  "resnet-8": { name: "resnet-8", filters: 4, dropout: 0.2 },
  "resnet-9": { name: "resnet-9", filters: 4, dropout: 0.2 },
};

interface Case {
  readonly model?: ModelConfig;
  readonly distill?: object;
  readonly training?: object;
  readonly batch?: (step: number) => Partial<Batch>;
  /** The student computes as its int8 file will. */
  readonly isRounded?: boolean;
  /** The teacher outside of the step. */
  readonly isAsked?: boolean;
}

/**
 * Declares the tests.
 *
 * @param scale - Of the distances that are allowed; 0 where both are the same to the bit.
 * @param isFedBytes - The engine normalises images itself.
 */
export function describeCapturedTraining(engine: EngineName, scale: number, isFedBytes: boolean): void {
  beforeAll(async () => {
    await selectEngine({ engine });
  });

  function batchAt(step: number, size = 16): Batch {
    const length = SHAPE[0] * SHAPE[1];
    return {
      size,
      indices: new Uint32Array(size),
      inputs: Float32Array.from({ length: size * length }, (_, i) => Math.sin(i * 1.7 + 3 * step)),
      classes: Int32Array.from({ length: size }, (_, i) => (i + step) % CLASSES),
    };
  }

  /** Weights and losses after some steps; `by` scales the weights before the first. */
  async function train(
    { model = CNN, distill, training = {}, batch = () => ({}), isRounded = false, isAsked = false }: Case,
    { steps, capture, by = 1 }: { readonly steps: number; readonly capture: boolean; readonly by?: number },
  ) {
    const config = parseConfig({
      name: "t",
      data: { kind: "mnist" },
      teacher: { model: { name: "cnn" } },
      student: { model: { name: "cnn" }, training },
      ...(distill && { distill }),
    });
    const { average: decay } = config.student.training as TrainingConfig;
    const built = buildModel(model, { shape: SHAPE, classes: CLASSES, seed: 1 });
    const student = isRounded ? quantizeAware(built).model : built;
    const teacher = buildModel({ ...CNN, filters: [6] } as ModelConfig, { shape: SHAPE, classes: CLASSES, seed: 2 });
    tf.tidy(() => student.setWeights(student.getWeights().map((weight) => tf.mul(weight, by))));
    const objective = objectiveOf(config.student.training, distill && (config.distill as DistillConfig));
    const network = distill ? tapStudent(student, teacher, objective, 1) : { model: student, names: [] };
    const average = decay === undefined ? undefined : averageWeights(network.model, decay);
    const asked: TrainingParts["teacher"] = (each) => ({
      logits: tf.tidy(() => teacher.predict(tf.tensor(each.inputs, [each.size, ...SHAPE])) as tf.Tensor2D),
    });
    const fallbacks: unknown[] = [];
    const compiled = compileTraining({
      network,
      objective,
      ...(distill && { teacher: isAsked ? asked : tapTeacher(teacher, objective) }),
      ...(average && { average }),
      preprocess,
      training: config.student.training,
      capture,
      onFallback: (fallback) => fallbacks.push(fallback),
    });
    const losses: number[] = [];
    for (let step = 0; step < steps; step++) {
      const own = batch(step);
      const moment = { rate: 0.01 / (1 + step), step, epoch: step / 4 };
      losses.push(...Object.values(await compiled.take({ ...batchAt(step, own.size), ...own }, moment)));
    }
    const stats = compiled.stats();
    compiled.dispose();
    const weights = valuesOf(network.model);
    const kept = average?.values().flatMap((values) => [...values]) ?? [];
    return { losses, weights, kept, stats, fallbacks };
  }

  const valuesOf = (model: LayersModel): number[] => model.getWeights().flatMap((weight) => [...weight.dataSync()]);
  const furthest = (a: readonly number[], b: readonly number[]): number =>
    a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

  /** In the mean over all weights, square. */
  const distance = (a: readonly number[], b: readonly number[]): number =>
    Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / a.length);

  /** Two steps are recorded, so the third is the first that is captured. */
  async function expectSameSteps(given: Case, steps = 3): Promise<void> {
    const captured = await train(given, { steps, capture: true });
    const eager = await train(given, { steps, capture: false });
    expect(captured.fallbacks).toEqual([]);
    expect(captured.stats).toMatchObject({ eager: 0, recorded: 2, captured: steps - 2 });
    expect(eager.stats).toMatchObject({ eager: steps, captured: 0 });
    expect(furthest(captured.weights, eager.weights)).toBeLessThanOrEqual(1e-6 * scale);
    expect(furthest(captured.kept, eager.kept)).toBeLessThanOrEqual(1e-6 * scale);
    for (const [i, loss] of eager.losses.entries()) {
      expect(Math.abs(captured.losses[i]! - loss)).toBeLessThanOrEqual(1e-5 * scale * Math.max(1, Math.abs(loss)));
    }
  }

  // Plain descent for the equality of one step: Adam divides by the gradient's own size, and with it by rounding.
  const sgd = { optimizer: { name: "sgd", learningRate: 0.05 } };

  test.each(Object.entries(NETS))("%s", (_name, model) => expectSameSteps({ model, training: sgd }));

  test.each(Object.entries(NETS))("%s, quantisation-aware", async (_name, model) => {
    const given: Case = { model, training: sgd, isRounded: true, distill: {}, isAsked: true };
    const captured = await train(given, { steps: 3, capture: true });
    const eager = await train(given, { steps: 3, capture: false });
    expect(captured.fallbacks).toEqual([]);
    expect(captured.stats).toMatchObject({ captured: 1 });
    // A value in the last place beside a rounding's edge may fall to the other level: not everything is as close as above.
    expect(distance(captured.losses, eager.losses)).toBeLessThanOrEqual(1e-3 * scale);
    expect(distance(captured.weights, eager.weights)).toBeLessThanOrEqual(1e-4 * scale);
  });

  const tap = { student: "conv1", teacher: "conv1" };
  test.each([
    ["ce, kd", {}],
    ["kd, standardized", { kd: { standardize: true, temperature: 2 } }],
    ["mse", { mse: {} }],
    ["dkd", { dkd: {} }],
    ["dist", { dist: {} }],
    ["hard", { hard: {} }],
    ["at", { at: { taps: [tap] } }],
    ["fitnet", { fitnet: { taps: [tap] } }],
    ["rkd", { rkd: { taps: [tap] } }],
    ["sp", { sp: { taps: [tap] } }],
  ])("the teacher inside of the step, losses %s", (_name, distill) => expectSameSteps({ distill, training: sgd }));

  test("weights and temperatures that move with every step", () => {
    const moving = { weight: { from: 0.1, to: 1, epochs: 3 }, temperature: { from: 8, to: 2, epochs: 5 } };
    return expectSameSteps({ distill: { kd: moving, dkd: moving, dist: moving }, training: sgd }, 5);
  });

  if (isFedBytes) {
    test("images as bytes, which the step normalises: the step of the floats", async () => {
      const bytes = Uint8Array.from({ length: 16 * SHAPE[0] * SHAPE[1] }, (_, i) => (i * 7919) >> 4);
      const inputs = normalizePixels(bytes, SHAPE, preprocess);
      const given = { training: sgd, batch: () => ({ inputs, bytes }) };
      await expectSameSteps(given);
      const fromBytes = await train(given, { steps: 3, capture: true });
      const fromFloats = await train({ training: sgd, batch: () => ({ inputs }) }, { steps: 3, capture: true });
      expect(furthest(fromBytes.weights, fromFloats.weights)).toBeLessThan(1e-6);
    });
  }

  test("the teacher outside", () => expectSameSteps({ distill: {}, isAsked: true, training: sgd }));

  test.each([
    ["adam", { optimizer: { name: "adam", learningRate: 0.01, epsilon: 1e-2 } }],
    ["adam with weight decay", { optimizer: { name: "adam", weightDecay: 0.1, epsilon: 1e-2 } }],
    ["sgd without momentum", { optimizer: { name: "sgd", momentum: 0 } }],
    ["sgd with weight decay", { optimizer: { name: "sgd", weightDecay: 0.01 } }],
    ["clipping that strikes", { ...sgd, clipNorm: 0.01 }],
    ["clipping that does not", { ...sgd, clipNorm: 1e6 }],
    ["a moving average of the weights", { ...sgd, average: 0.9 }],
    ["smoothed labels", { ...sgd, labelSmoothing: 0.1 }],
  ])("%s", (_name, training) => expectSameSteps({ training }, 5));

  test("mixed images, with another share at each step", () =>
    expectSameSteps(
      {
        training: sgd,
        batch: (step) => ({ mixed: { partners: batchAt(step + 1).classes, share: 1 / (2 + step) } }),
      },
      5,
    ));

  test("labels of which another part is hidden at each step, once all of them", () =>
    expectSameSteps(
      {
        training: sgd,
        distill: {},
        batch: (step) => ({ classes: batchAt(step).classes.map((each, i) => (i % (1 + step) === 1 ? each : -1)) }),
      },
      6,
    ));

  test.each(Object.entries(NETS))(
    "%s over 20 steps is no further off than rounding alone takes an eager training",
    async (_name, model) => {
      const given: Case = { model, training: { optimizer: { name: "adam" } } };
      const captured = await train(given, { steps: 20, capture: true });
      const eager = await train(given, { steps: 20, capture: false });
      const controls: number[] = [];
      for (const by of [1 + 2 ** -23, 1 - 2 ** -24, 1 + 2 ** -22]) {
        const moved = await train(given, { steps: 20, capture: false, by });
        controls.push(distance(moved.weights, eager.weights));
      }
      expect(distance(captured.weights, eager.weights)).toBeLessThanOrEqual(2 * scale * Math.max(1e-6, ...controls));
    },
  );

  test("a last batch of another size shares all variables", async () => {
    const given: Case = { model: NETS["ds-cnn"]!, training: sgd, batch: (step) => ({ size: step % 3 === 2 ? 5 : 16 }) };
    const captured = await train(given, { steps: 12, capture: true });
    const eager = await train(given, { steps: 12, capture: false });
    expect(captured.stats).toMatchObject({ programs: 2, recorded: 4, captured: 8 });
    expect(furthest(captured.weights, eager.weights)).toBeLessThanOrEqual(1e-4 * scale);
  });
}
