import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import * as tf from "@tensorflow/tfjs-core";
import { type LayersModel, layers, sequential } from "@tensorflow/tfjs-layers";
import { beforeAll, describe, expect, test } from "vitest";
import { selectEngine } from "../select.ts";
import { engineStatus } from "../status.ts";
import { type CompileOptions, compileStep, type Fallback, type Tensors } from "./compile-step.ts";

process.execArgv.push("--import", "tsx", "--conditions=@distillate/source");
const { ok, detail } = await engineStatus("tensorflow");

describe.skipIf(!ok)(`captured steps${ok ? "" : ` (${detail})`}`, () => {
  beforeAll(async () => {
    await selectEngine({ engine: "tensorflow" });
  });

  const rows = (step: number, size = 8) => ({
    x: tf.tensor2d(
      Float32Array.from({ length: size * 6 }, (_, i) => Math.sin(i * 1.7 + step)),
      [size, 6],
    ),
    y: tf.tensor2d(
      Float32Array.from({ length: size * 3 }, (_, i) => Number(i % 3 === (i + step) % 4)),
      [size, 3],
    ),
  });
  const net = (): LayersModel => {
    const model = sequential({
      layers: [layers.dense({ units: 5, activation: "tanh", inputShape: [6] }), layers.dense({ units: 3 })],
    });
    tf.tidy(() =>
      model.setWeights(
        model.getWeights().map(({ shape, size }, w) =>
          tf.tensor(
            Float32Array.from({ length: size }, (_, i) => 0.3 * Math.cos(3 * i + w)),
            shape,
          ),
        ),
      ),
    );
    return model;
  };
  const stepOf = (model: LayersModel, optimizer: tf.Optimizer) => (inputs: Tensors) => ({
    loss: optimizer.minimize(
      () => tf.losses.softmaxCrossEntropy(inputs.y!, model.apply(inputs.x!) as tf.Tensor) as tf.Scalar,
      true,
      model.trainableWeights.map((weight) => weight.read() as tf.Variable),
    ) as tf.Scalar,
  });
  const valuesOf = (model: LayersModel): number[] => model.getWeights().flatMap((weight) => [...weight.dataSync()]);
  const furthest = (a: readonly number[], b: readonly number[]): number =>
    a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

  /** Takes steps with a compiled step and, from the same weights, without; gives both ways' weights. */
  function bothWays(
    make: () => tf.Optimizer,
    { steps = 12, size = (_step: number): number => 8, before = (_optimizer: tf.Optimizer, _step: number) => {} } = {},
    options: Partial<CompileOptions> = {},
  ) {
    const fallbacks: Fallback[] = [];
    const [eager, captured] = [false, true].map((isCaptured) => {
      const [model, optimizer] = [net(), make()];
      const step = stepOf(model, optimizer);
      const compiled = compileStep(step, { optimizer, onFallback: (each) => fallbacks.push(each), ...options });
      const losses: number[] = [];
      for (let i = 0; i < steps; i++) {
        before(optimizer, i);
        const inputs = rows(i, size(i));
        const { loss } = isCaptured ? compiled.run(inputs) : tf.tidy(() => step(inputs));
        losses.push(loss!.dataSync()[0]!);
        tf.dispose([loss!, ...Object.values(inputs)]);
      }
      const stats = compiled.stats();
      compiled.dispose();
      return { weights: valuesOf(model), losses, stats };
    });
    return { eager: eager!, captured: captured!, fallbacks };
  }

  test.each([
    ["sgd", () => tf.train.sgd(0.1)],
    ["momentum", () => tf.train.momentum(0.1, 0.9)],
    ["nesterov", () => tf.train.momentum(0.1, 0.9, true)],
    ["adam", () => tf.train.adam(0.01)],
    ["adamax", () => tf.train.adamax(0.01)],
    ["adagrad", () => tf.train.adagrad(0.1)],
    ["adadelta", () => tf.train.adadelta(0.5)],
    ["rmsprop", () => tf.train.rmsprop(0.01)],
  ])("tfjs' %s: the captured weights are the eager ones", (_name, make) => {
    const { eager, captured, fallbacks } = bothWays(make);
    expect(fallbacks).toEqual([]);
    expect(captured.stats).toMatchObject({ eager: 0, programs: 1 });
    expect(captured.stats.captured).toBeGreaterThanOrEqual(8);
    expect(furthest(captured.weights, eager.weights)).toBeLessThan(1e-6);
    expect(furthest(captured.losses, eager.losses)).toBeLessThan(1e-6);
  });

  test("a learning rate that moves at every step is a feed", () => {
    const rate = (optimizer: tf.Optimizer, step: number): void => {
      (optimizer as unknown as { learningRate: number }).learningRate = 0.05 / (1 + step);
    };
    const { eager, captured, fallbacks } = bothWays(() => tf.train.adam(0.05), { before: rate });
    expect(fallbacks).toEqual([]);
    expect(furthest(captured.weights, eager.weights)).toBeLessThan(1e-6);
  });

  test("a last batch of another size has a graph of its own and the same variables", () => {
    const { eager, captured, fallbacks } = bothWays(() => tf.train.adam(0.01), {
      steps: 24,
      size: (step) => (step % 4 === 3 ? 5 : 8),
    });
    expect(fallbacks).toEqual([]);
    expect(captured.stats.programs).toBe(2);
    expect(captured.stats.captured).toBeGreaterThan(16);
    expect(furthest(captured.weights, eager.weights)).toBeLessThan(1e-6);
  });

  test("two trainings at once do not disturb each other, and a third step sees what they do", () => {
    const models = [net(), net(), net()];
    const optimizers = models.map(() => tf.train.adam(0.01));
    const steps = models.map((model, i) => stepOf(model, optimizers[i]!));
    const compiled = [0, 1].map((i) => compileStep(steps[i]!, { optimizer: optimizers[i]! }));
    const look = compileStep(({ x }) => ({ y: models[0]!.predict(x!) as tf.Tensor }), { optimizer: null });
    for (let i = 0; i < 12; i++) {
      const inputs = rows(i);
      tf.dispose([...compiled.map((step) => step.run(inputs)), tf.tidy(() => steps[2]!(inputs))]);
      const { y } = look.run({ x: inputs.x! });
      const expected = tf.tidy(() => models[2]!.predict(inputs.x!) as tf.Tensor);
      expect(furthest([...y!.dataSync()], [...expected.dataSync()])).toBeLessThan(1e-5);
      tf.dispose([y!, expected, ...Object.values(inputs)]);
    }
    expect(look.stats().captured).toBe(10);
    expect(valuesOf(models[0]!)).toEqual(valuesOf(models[1]!));
    for (const step of [...compiled, look]) step.dispose();
  });

  test("weights that are set are used, and a snapshot stays what it was", () => {
    const model = net();
    const optimizer = tf.train.sgd(0.1);
    const step = compileStep(stepOf(model, optimizer), { optimizer });
    const take = (i: number): void => {
      const inputs = rows(i);
      tf.dispose([step.run(inputs), inputs]);
    };
    for (let i = 0; i < 5; i++) take(i);
    const snapshot = model.getWeights().map((weight) => tf.clone(weight));
    const values = snapshot.map((weight) => [...weight.dataSync()]);
    take(5);
    const after = valuesOf(model);
    take(6);
    expect(snapshot.map((weight) => [...weight.dataSync()])).toEqual(values);
    model.setWeights(snapshot);
    take(5);
    expect(furthest(valuesOf(model), after)).toBeLessThan(1e-7);
    step.dispose();
  });

  test("no tensor, session or file is left behind", () => {
    const model = net();
    const optimizer = tf.train.adam(0.01);
    const { binding } = tf.backend() as unknown as {
      binding: { getNumOfTensors(): number; getNumOfSavedModels(): number };
    };
    const files = (): readonly string[] => readdirSync(tmpdir()).filter((name) => name.startsWith("distillate-step"));
    const step = compileStep(stepOf(model, optimizer), { optimizer });
    const take = (count: number): void => {
      for (let i = 0; i < count; i++) {
        const inputs = rows(i);
        tf.dispose([step.run(inputs), inputs]);
      }
    };
    take(4);
    const counts = { native: binding.getNumOfTensors(), tensors: tf.memory().numTensors };
    take(50);
    expect({ native: binding.getNumOfTensors(), tensors: tf.memory().numTensors }).toEqual(counts);
    step.dispose();
    expect(binding.getNumOfSavedModels()).toBe(0);
    expect(tf.memory().numTensors).toBe(counts.tensors);
    expect(binding.getNumOfTensors()).toBeLessThanOrEqual(counts.native);
    expect(files()).toEqual([]);
  });

  describe("what cannot be captured stays eager, and says why", () => {
    const scaled = (by: (weight: tf.Variable, x: tf.Tensor) => tf.Tensor, options: Partial<CompileOptions> = {}) => {
      const weight = tf.variable(tf.scalar(1));
      const fallbacks: Fallback[] = [];
      const compiled = compileStep(
        ({ x }) => {
          weight.assign(by(weight, x!) as tf.Scalar);
          return { sum: tf.add(weight, 0) };
        },
        { optimizer: null, onFallback: (each) => fallbacks.push(each), ...options },
      );
      const run = (x: number): number => {
        const input = tf.scalar(x);
        const { sum } = compiled.run({ x: input });
        const [value] = sum!.dataSync();
        tf.dispose([input, sum!]);
        return value!;
      };
      return { run, compiled, fallbacks };
    };

    test("a step that reads a value back, with the op", () => {
      const { run, fallbacks, compiled } = scaled((weight, x) => {
        const double = tf.mul(x, 2).dataSync()[0]!;
        return tf.add(weight, double);
      });
      expect([1, 1, 1, 5].map(run)).toEqual([3, 5, 7, 17]);
      expect(fallbacks).toEqual([{ op: "Mul", reason: expect.stringContaining("reads the value of Mul") }]);
      expect(compiled.stats()).toMatchObject({ captured: 0 });
    });

    test("a step that draws random numbers in JavaScript", () => {
      const { run, fallbacks } = scaled((weight, x) => tf.add(weight, tf.mul(x, tf.randomUniform([], 1, 2))));
      for (let i = 0; i < 8; i++) run(1);
      expect(fallbacks).toEqual([{ op: "Mul", reason: expect.stringContaining("differs from step to step") }]);
    });

    test("a number that changes with every step", () => {
      let calls = 0;
      const { run, fallbacks } = scaled((weight) => tf.add(weight, ++calls));
      expect([0, 0, 0, 0, 0, 0, 0, 0].map(run)).toEqual([2, 4, 7, 11, 16, 22, 29, 37]);
      expect(fallbacks).toHaveLength(1);
      expect(fallbacks[0]!.reason).toMatch(/differs from step to step/);
    });

    test("a step whose course depends on JavaScript", () => {
      let calls = 0;
      const { run, fallbacks } = scaled((weight, x) => {
        let sum: tf.Tensor = weight;
        for (let i = 0; i <= calls; i++) sum = tf.add(sum, x);
        calls++;
        return sum;
      });
      for (let i = 0; i < 8; i++) run(1);
      expect(fallbacks[0]!.reason).toMatch(/operations and the next/);
    });

    test("a step that makes a variable each time", () => {
      const { run, fallbacks } = scaled((weight, x) => tf.add(weight, tf.variable(x)));
      for (let i = 1; i <= 8; i++) expect(run(1)).toBe(1 + i);
      expect(fallbacks).toEqual([{ reason: expect.stringContaining("makes variables") }]);
    });

    test("a tensor from outside that is another one each time", () => {
      let outside = tf.scalar(1);
      const { run, fallbacks } = scaled((weight) => tf.add(weight, outside));
      for (let i = 0; i < 8; i++) {
        outside.dataSync();
        run(0);
        outside.dispose();
        outside = tf.add(i, 1) as tf.Scalar;
      }
      expect(fallbacks[0]!.reason).toMatch(/from outside of the step/);
    });

    test("a number that changes long after is found by the recheck, and the step gets a new graph", () => {
      let rate = 1;
      const { run, fallbacks, compiled } = scaled((weight) => tf.add(weight, rate), { recheckEvery: 1000 });
      for (let i = 0; i < 6; i++) run(0);
      expect(compiled.stats().captured).toBe(4);
      rate = 10;
      compiled.recheck();
      // 1, then six steps of 1; the changed one is right at once.
      expect(run(0)).toBe(17);
      expect(fallbacks).toEqual([{ op: "Add", reason: expect.anything(), suspectSteps: 4 }]);
      expect([run(0), run(0), run(0)]).toEqual([27, 37, 47]);
      expect(compiled.stats().programs).toBe(2);
    });

    test("a step that changes shape all the time", () => {
      const fallbacks: Fallback[] = [];
      const step = compileStep(({ x }) => ({ y: tf.sum(x!) }), {
        optimizer: null,
        onFallback: (each) => fallbacks.push(each),
      });
      for (let size = 1; size < 12; size++) {
        for (let i = 0; i < 3; i++) expect(step.run({ x: tf.ones([size]) }).y!.dataSync()[0]).toBe(size);
      }
      expect(step.stats().programs).toBe(8);
      expect(fallbacks).toEqual([{ reason: expect.stringContaining("8 kinds") }]);
      step.dispose();
    });

    test("an operation that fails while it runs is an error that says what to do", () => {
      const step = compileStep(({ x, i }) => ({ y: tf.unsortedSegmentSum(x!, i as tf.Tensor1D, 3) }), {
        optimizer: null,
      });
      const take = (index: number): Tensors => step.run({ x: tf.tensor1d([1]), i: tf.tensor1d([index], "int32") });
      for (let i = 0; i < 3; i++) take(i);
      expect(() => take(7)).toThrowError(
        expect.objectContaining({ code: "step-failed", hint: expect.stringContaining("last saved state") }),
      );
      step.dispose();
    });
  });
});
