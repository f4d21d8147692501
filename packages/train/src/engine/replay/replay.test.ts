import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { type CompileOptions, compileStep, type Fallback, type Tensors } from "../capture/compile-step.ts";
import { selectEngine } from "../select.ts";

beforeAll(async () => {
  await selectEngine({ engine: "wasm" });
});

const variables: tf.Variable[] = [];
const variable = (...values: readonly number[]): tf.Variable => {
  const made = tf.tidy(() => tf.variable(tf.tensor1d([...values])));
  variables.push(made);
  return made;
};
const set = (target: tf.Variable, value: tf.Tensor): void => {
  target.assign(value);
  value.dispose();
};
let tensors = 0;
let data = 0;
const backend = (): BackendWasm => tf.backend() as BackendWasm;
beforeEach(() => {
  tensors = tf.memory().numTensors;
  data = backend().numDataIds();
});
afterEach(() => {
  for (const each of variables.splice(0)) each.dispose();
  // Whatever a test does, it leaves nothing on the heap.
  expect(tf.memory().numTensors).toBe(tensors);
  expect(tf.memory().numDataBuffers).toBe(data);
  expect(backend().numDataIds()).toBe(data);
});

/** Runs a step with one input some times; gives what it returned, and what it said of its capture. */
function runs(
  step: (inputs: Tensors) => Tensors,
  inputs: readonly number[],
  { between = (_run: number) => {}, ...options }: Partial<CompileOptions> & { between?(run: number): unknown } = {},
) {
  const fallbacks: Fallback[] = [];
  const compiled = compileStep(step, { optimizer: null, onFallback: (each) => fallbacks.push(each), ...options });
  const results = inputs.map((value, run) => {
    between(run);
    const x = tf.scalar(value);
    const outputs = compiled.run({ x });
    const values = Object.values(outputs).map((output) => output.dataSync()[0]!);
    tf.dispose([x, outputs]);
    return values;
  });
  const stats = compiled.stats();
  compiled.dispose();
  return { results, stats, fallbacks };
}

test("inputs, variables and constants: read anew, kept and given back", () => {
  const weight = variable(3);
  const { results, stats } = runs(
    ({ x }) => {
      const old = tf.add(weight, 0);
      weight.assign(tf.add(weight, x!));
      // What is returned may be a view, or what an input, a variable or a constant holds.
      return { old: tf.reshape(old, []), x: tf.clone(x!), now: tf.clone(weight), three: tf.tensor1d([3]) };
    },
    [1, 2, 3, 4, 5],
    { between: (run) => run === 3 && set(weight, tf.tensor1d([10])) },
  );
  expect(stats).toMatchObject({ eager: 0, recorded: 2, captured: 3 });
  expect(results).toEqual([
    [3, 1, 4, 3],
    [4, 2, 6, 3],
    [6, 3, 9, 3],
    [10, 4, 14, 3],
    [14, 5, 19, 3],
  ]);
});

test("a variable's value from before the step is there although another kernel comes after the assignment", () => {
  const weight = variable(1);
  const { results, stats } = runs(
    ({ x }) => {
      const before = tf.clone(weight);
      weight.assign(tf.mul(weight, x!));
      return { both: tf.add(before, weight) };
    },
    [2, 2, 2, 2],
  );
  expect(stats.captured).toBe(2);
  expect(results.flat()).toEqual([3, 6, 12, 24]);
});

test("two variables may swap, and share what they hold", () => {
  const [a, b] = [variable(1), variable(2)];
  a.assign(b);
  set(b, tf.clone(a));
  const { results, stats } = runs(
    ({ x }) => {
      const [left, right] = [tf.clone(a), tf.add(b, x!)];
      a.assign(right);
      b.assign(left);
      return { sum: tf.sub(a, b) };
    },
    [1, 1, 1, 1, 1],
  );
  expect(stats.captured).toBe(3);
  const expected: number[] = [];
  let [left, right] = [2, 2];
  for (let run = 0; run < 5; run++) {
    [left, right] = [right + 1, left];
    expected.push(left - right);
  }
  expect(results.flat()).toEqual(expected);
});

test("a variable that shares its data with a tensor, or with the input, is told apart from them", () => {
  const start = tf.tensor1d([5]);
  const weight = tf.variable(start);
  variables.push(weight);
  const step = compileStep(({ x }) => ({ sum: tf.sum(tf.add(tf.add(weight, start), tf.mul(x!, 100))) }), {
    optimizer: null,
  });
  const run = (x: tf.Tensor): number =>
    tf.tidy(() => {
      const { sum } = step.run({ x });
      return sum!.dataSync()[0]!;
    });
  const shared = tf.clone(weight);
  expect([run(shared), run(shared), run(shared)]).toEqual([510, 510, 510]);
  set(weight, tf.tensor1d([7]));
  expect(run(shared)).toBe(512);
  expect(step.stats().captured).toBe(2);
  tf.dispose([shared, start]);
  step.dispose();
});

test("a compiled step inside of another, or under a tape, is a step like any other", () => {
  const inner = compileStep(({ x }) => ({ y: tf.square(x!) }), { optimizer: null });
  const { results } = runs(({ x }) => ({ z: tf.add(inner.run({ x: x! }).y!, 1) }), [1, 1, 2, 3, 4]);
  expect(results.flat()).toEqual([2, 2, 5, 10, 17]);
  for (let run = 0; run < 3; run++) {
    expect(tf.tidy(() => inner.run({ x: tf.scalar(3) }).y!.dataSync()[0]!)).toBe(9);
  }
  expect(inner.stats().captured).toBe(1);
  const slope = tf.grad((x) => inner.run({ x }).y!);
  expect(tf.tidy(() => slope(tf.scalar(3)).dataSync()[0]!)).toBe(6);
  inner.dispose();
});

test("kernels that are composed of others leave nothing either", () => {
  const filter = tf.tidy(() => tf.variable(tf.randomNormal([3, 3, 5, 3], 0, 1, "float32", 1)));
  variables.push(filter as unknown as tf.Variable);
  const compiled = compileStep(
    ({ x }) => {
      const { value, grads } = tf.variableGrads(() => {
        const map = tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, [1, 2], "same");
        return tf.sum(tf.square(tf.conv2d(map, tf.reshape(filter, [3, 3, 3, 5]) as tf.Tensor4D, 2, "valid")));
      });
      return { value, gradient: grads[filter.name]! };
    },
    { optimizer: null },
  );
  const x = tf.randomNormal([2, 9, 8, 5], 0, 1, "float32", 2);
  const run = (): Float32Array =>
    tf.tidy(() => {
      const { gradient } = compiled.run({ x });
      return gradient!.dataSync<"float32">();
    });
  const eager = run();
  run();
  const before = { ...tf.memory(), ids: backend().numDataIds() };
  for (let step = 0; step < 5; step++) expect(run()).toEqual(eager);
  expect({ ...tf.memory(), ids: backend().numDataIds() }).toEqual(before);
  expect(compiled.stats().captured).toBe(5);
  x.dispose();
  compiled.dispose();
});

test("kernels that nothing comes of are left out, and data are freed after their last use", () => {
  const names: string[] = [];
  const most: number[] = [];
  const kernels = tf.getKernelsForBackend("wasm") as { kernelName: string; kernelFunc: tf.KernelFunc }[];
  const watched = kernels.filter(({ kernelName }) => ["Exp", "Square"].includes(kernelName));
  const originals = watched.map(({ kernelFunc }) => kernelFunc);
  for (const [i, kernel] of watched.entries()) {
    kernel.kernelFunc = (call) => {
      names.push(kernel.kernelName);
      most.push(backend().numDataIds());
      return originals[i]!(call);
    };
  }
  try {
    const { results } = runs(
      ({ x }) => {
        tf.exp(x!);
        let value = x!;
        for (let i = 0; i < 4; i++) value = tf.square(value);
        return { value };
      },
      [1, 1, 2],
    );
    expect(results[2]).toEqual([2 ** 16]);
  } finally {
    for (const [i, kernel] of watched.entries()) kernel.kernelFunc = originals[i]!;
  }
  expect(names.slice(-4)).toEqual(["Square", "Square", "Square", "Square"]);
  expect(names.filter((name) => name === "Exp")).toHaveLength(2);
  // An eager step has all of them at its end; a replayed one the input and the last.
  const [eager, replayed] = [most.slice(0, 5), most.slice(-4)];
  expect(eager.at(-1)! - eager[0]!).toBe(4);
  expect(replayed.at(-1)! - replayed[0]!).toBe(1);
});

test("what JavaScript computes differently each time keeps a step eager, with the kernel that it goes into", () => {
  let calls = 0;
  const { results, stats, fallbacks } = runs(({ x }) => ({ y: tf.mul(x!, ++calls) }), [1, 1, 1, 1, 1, 1, 1, 1]);
  expect(results.flat()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(stats.captured).toBe(0);
  expect(fallbacks).toEqual([{ op: "Multiply", reason: expect.stringContaining("changes from step to step") }]);
});

test.each<[string, (x: tf.Tensor, calls: number) => tf.Tensor, string]>([
  ["kernels", (x, calls) => (calls % 2 ? tf.exp(x) : tf.neg(x)), "depends on JavaScript"],
  ["how many", (x, calls) => (calls % 2 ? tf.exp(tf.exp(x)) : tf.exp(x)), "depends on JavaScript"],
  ["attributes", (x, calls) => tf.add(x, tf.sum(tf.fill([2], calls))), "attributes"],
  ["wiring", (x, calls) => ((y) => (calls % 2 ? tf.sub(x, y) : tf.sub(y, x)))(tf.exp(x)), "inputs"],
])("so do %s that change", (_name, step, reason) => {
  let calls = 0;
  const { stats, fallbacks } = runs(({ x }) => ({ y: step(x!, ++calls) }), [1, 1, 1, 1, 1, 1, 1]);
  expect(stats.captured).toBe(0);
  expect(fallbacks).toEqual([expect.objectContaining({ reason: expect.stringContaining(reason) })]);
});

test("a step that reads a value back stays eager and says so", () => {
  const { results, stats, fallbacks } = runs(
    ({ x }) => ({ y: tf.scalar(tf.square(x!).dataSync()[0]! + 1) }),
    [1, 2, 3],
  );
  expect(results.flat()).toEqual([2, 5, 10]);
  expect(stats).toMatchObject({ captured: 0, recorded: 1 });
  expect(fallbacks).toEqual([{ op: "Square", reason: "JavaScript reads a value inside of the step" }]);
});

test("a step that makes a variable at its first run is captured later; one that always does never is", () => {
  let once: tf.Variable | undefined;
  const first = runs(
    ({ x }) => {
      once ??= variable(5);
      return { y: tf.add(once, x!) };
    },
    [1, 2, 3, 4],
  );
  expect(first.stats).toMatchObject({ recorded: 3, captured: 1 });
  expect(first.results.flat()).toEqual([6, 7, 8, 9]);
  const always = runs(({ x }) => ({ y: tf.add(variable(5), x!) }), new Array(8).fill(1));
  expect(always.stats.captured).toBe(0);
  expect(always.fallbacks[0]!.reason).toContain("makes variables");
});

test("a value that changed after the recording is found by a recheck", () => {
  let rate = 1;
  const compiled = { steps: [] as Fallback[] };
  const step = compileStep(({ x }) => ({ y: tf.mul(x!, rate) }), {
    optimizer: null,
    onFallback: (each) => compiled.steps.push(each),
  });
  const run = (): number =>
    tf.tidy(() => {
      const { y } = step.run({ x: tf.scalar(2) });
      return y!.dataSync()[0]!;
    });
  expect([run(), run(), run()]).toEqual([2, 2, 2]);
  rate = 3;
  expect(run()).toBe(2);
  step.recheck();
  expect(run()).toBe(6);
  expect(compiled.steps).toEqual([expect.objectContaining({ op: "Multiply", suspectSteps: 2 })]);
  // It gets another program.
  expect([run(), run()]).toEqual([6, 6]);
  expect(step.stats().captured).toBeGreaterThan(2);
  step.dispose();
});

test("an error midway leaves variables as they were and nothing behind", () => {
  const weight = variable(1);
  const compiled = compileStep(
    ({ x }) => {
      const next = tf.add(weight, tf.exp(x!));
      weight.assign(tf.square(next));
      return { next };
    },
    { optimizer: null },
  );
  const x = tf.scalar(0);
  for (let run = 0; run < 3; run++) tf.dispose(compiled.run({ x }));
  const value = weight.dataSync()[0];
  const makeOutput = vi.spyOn(backend(), "makeOutput");
  const before = backend().numDataIds();
  makeOutput.mockImplementation(() => {
    throw new Error("no memory");
  });
  expect(() => compiled.run({ x })).toThrow("no memory");
  makeOutput.mockRestore();
  expect(backend().numDataIds()).toBe(before);
  expect(weight.dataSync()[0]).toBe(value);
  tf.dispose(compiled.run({ x }));
  expect(weight.dataSync()[0]).toBe((value! + 1) ** 2);
  x.dispose();
  compiled.dispose();
});

test("a thousand steps of a program take no memory", () => {
  const weight = variable(...new Array<number>(1000).fill(0));
  const compiled = compileStep(
    ({ x }) => {
      weight.assign(tf.add(weight, tf.mean(tf.square(tf.add(weight, x!)))));
      return { loss: tf.sum(weight) };
    },
    { optimizer: null },
  );
  const x = tf.scalar(1e-3);
  for (let run = 0; run < 3; run++) tf.dispose(compiled.run({ x }));
  const before = [tf.memory().numTensors, tf.memory().numBytes, backend().numDataIds()];
  for (let run = 0; run < 1000; run++) tf.dispose(compiled.run({ x }));
  expect([tf.memory().numTensors, tf.memory().numBytes, backend().numDataIds()]).toEqual(before);
  x.dispose();
  compiled.dispose();
});
