/**
 * What the aids are for: a depthwise net whose channels differ 100 times. The float net is a fixed set of random filters with a
 * last layer fitted in closed form, so that it truly tells its ten classes apart; spreading its channels changes nothing that it
 * computes, and nearly everything that integers can hold.
 */
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onnx as schema } from "onnx-proto";
import { InferenceSession } from "onnxruntime-node";
import { beforeAll, expect, test } from "vitest";
import { int, ints } from "../attr.ts";
import type { Feeds, Graph, Node, Tensor } from "../graph.ts";
import { inferShapes } from "../infer.ts";
import { nodeRunner as run } from "../node-runner.test.helper.ts";
import { encodeModel } from "../onnx/encode.ts";
import { floatsOf, floatTensor } from "../tensor.ts";
import { quantizeWithin } from "./control-accuracy.ts";
import { quantize } from "./quantize.ts";
import type { RecipeInput } from "./recipe.ts";
import { searchRecipe } from "./search-recipe.ts";

const [CLASSES, CHANNELS, SIDE] = [10, 24, 8];

/** Mulberry32, and from it normal numbers: the sum of twelve uniform ones. */
function randomOf(seed: number): () => number {
  let state = seed;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => Array.from({ length: 12 }, uniform).reduce((sum, value) => sum + value, -6);
}

interface Samples {
  readonly images: Float32Array;
  readonly classes: readonly number[];
}

/** Ten patterns, each seen through noise. */
function samplesOf(count: number, seed: number): Samples {
  const [pattern, noise] = [randomOf(1), randomOf(seed)];
  const patterns = Float32Array.from({ length: CLASSES * SIDE * SIDE }, pattern);
  const classes = Array.from({ length: count }, (_, i) => i % CLASSES);
  const size = SIDE * SIDE;
  const images = Float32Array.from(
    { length: count * size },
    (_, i) => patterns[classes[Math.floor(i / size)]! * size + (i % size)]! + 1.3 * noise(),
  );
  return { images, classes };
}

const feedsOf = ({ images, classes }: Samples): Feeds => ({
  x: floatTensor(images, [classes.length, 1, SIDE, SIDE]),
});

/** stem - relu - two times (depthwise - relu - pointwise - relu) - average pool - flatten - gemm; the last layer is zero. */
function buildNet(): Graph {
  const random = randomOf(7);
  const weights = (shape: readonly number[], fanIn: number): Tensor =>
    floatTensor(
      Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random() * Math.sqrt(2 / fanIn)),
      shape,
    );
  const biases = (): Tensor =>
    floatTensor(
      Float32Array.from({ length: CHANNELS }, () => 0.1 * random()),
      [CHANNELS],
    );
  const constants = new Map<string, Tensor>();
  const nodes: Node[] = [];
  let last = "x";
  const add = (op: string, name: string, more: readonly string[], attrs: Node["attrs"] = {}): void => {
    nodes.push({ op, domain: "", name, inputs: [last, ...more], outputs: [name], attrs });
    last = name;
  };
  const conv = (name: string, shape: readonly number[], group: number): void => {
    constants
      .set(
        `${name}/w`,
        weights(
          shape,
          shape.slice(1).reduce((a, b) => a * b, 1),
        ),
      )
      .set(`${name}/b`, biases());
    const pad = (shape[2]! - 1) / 2;
    add("Conv", name, [`${name}/w`, `${name}/b`], { pads: ints([pad, pad, pad, pad]), group: int(group) });
    add("Relu", `${name}/relu`, []);
  };
  conv("stem", [CHANNELS, 1, 3, 3], 1);
  for (const block of ["block1", "block2"]) {
    conv(`${block}/depthwise`, [CHANNELS, 1, 3, 3], CHANNELS);
    conv(`${block}/pointwise`, [CHANNELS, CHANNELS, 1, 1], 1);
  }
  add("AveragePool", "pool", [], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
  add("Flatten", "flat", []);
  const features = (CHANNELS * SIDE * SIDE) / 4;
  constants.set("logits/w", floatTensor(new Float32Array(CLASSES * features), [CLASSES, features]));
  constants.set("logits/b", floatTensor(new Float32Array(CLASSES), [CLASSES]));
  add("Gemm", "logits", ["logits/w", "logits/b"], { transB: int(1) });
  return inferShapes({
    name: "hard",
    opset: 17,
    inputs: [{ name: "x", dtype: "float32", shape: ["batch", 1, SIDE, SIDE] }],
    outputs: [{ name: "logits", dtype: "float32", shape: ["batch", CLASSES] }],
    nodes,
    constants,
    values: new Map(),
  });
}

/** Fits the last layer to one-hot targets by ridge regression, in its dual form: (K + r I) a = t with K the features' products. */
async function fit(graph: Graph, samples: Samples): Promise<Graph> {
  const model = await run(
    encodeModel({ ...graph, outputs: [graph.values.get("flat")!] }, { producer: "t", producerVersion: "1" }),
  );
  const flat = (await model.run(feedsOf(samples))).flat!;
  await model.dispose();
  const [count, features] = flat.shape as [number, number];
  const x = floatsOf(flat);
  const rows = Array.from({ length: count }, (_, i) => x.subarray(i * features, (i + 1) * features));
  const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  // Gaussian elimination of K with the targets behind it; K is positive definite, so that no pivot is looked for.
  const matrix = rows.map((row, i) => {
    const line = Float64Array.from({ length: count + CLASSES }, (_, j) =>
      j < count ? dot(row, rows[j]!) + (i === j ? 1 : 0) : j - count === samples.classes[i] ? 0.9 : -0.1,
    );
    return line;
  });
  for (const [i, pivot] of matrix.entries()) {
    for (const [j, line] of matrix.entries()) {
      if (i === j) continue;
      const factor = line[i]! / pivot[i]!;
      for (let k = i; k < line.length; k++) line[k]! -= factor * pivot[k]!;
    }
  }
  const w = new Float32Array(CLASSES * features);
  for (const [i, line] of matrix.entries())
    for (let c = 0; c < CLASSES; c++)
      for (let f = 0; f < features; f++) w[c * features + f]! += (line[count + c]! / line[i]!) * rows[i]![f]!;
  return { ...graph, constants: new Map(graph.constants).set("logits/w", floatTensor(w, [CLASSES, features])) };
}

/** Multiplies channel c of a layer by a factor, and divides the next layer's weights of it by the same. */
function spread(graph: Graph, times: number): Graph {
  const constants = new Map(graph.constants);
  const layers = graph.nodes.filter(({ op }) => op === "Conv");
  const change = (edge: string, factor: (i: number) => number): void => {
    const tensor = constants.get(edge)!;
    constants.set(
      edge,
      floatTensor(
        floatsOf(tensor).map((value, i) => value * factor(i)),
        tensor.shape,
      ),
    );
  };
  for (const [place, layer] of layers.entries()) {
    const factor = (channel: number): number =>
      times ** (((channel * (5 + 2 * place)) % CHANNELS) / (CHANNELS - 1) - 0.5);
    const [own, next] = [`${layer.name}/w`, layers[place + 1]];
    const size = floatsOf(constants.get(own)!).length / CHANNELS;
    change(own, (i) => factor(Math.floor(i / size)));
    change(`${layer.name}/b`, factor);
    if (next === undefined) change("logits/w", (i) => 1 / factor(Math.floor(i / ((SIDE * SIDE) / 4)) % CHANNELS));
    else if (next.name.endsWith("depthwise")) change(`${next.name}/w`, (i) => 1 / factor(Math.floor(i / 9)));
    else change(`${next.name}/w`, (i) => 1 / factor(i % CHANNELS));
  }
  return { ...graph, constants };
}

let hard: Graph;
let soft: Graph;
const test1000 = samplesOf(1000, 3);
const calibration = samplesOf(128, 4);

/** In points, over the test samples, in the runtime with its optimiser on. */
async function accuracyOf(graph: Graph): Promise<number> {
  const model = await run(encodeModel(graph, { producer: "test", producerVersion: "1" }));
  const logits = floatsOf((await model.run(feedsOf(test1000))).logits!);
  await model.dispose();
  const isRight = (label: number, row: number): boolean => {
    const scores = logits.subarray(row * CLASSES, (row + 1) * CLASSES);
    return scores.indexOf(Math.max(...scores)) === label;
  };
  return (100 * test1000.classes.filter(isRight).length) / test1000.classes.length;
}

const quantized = (graph: Graph, recipe: RecipeInput) =>
  quantize(graph, recipe, { run, samples: () => [feedsOf(calibration)] });
const PER_TENSOR: RecipeInput = { rules: [{ op: "Conv", granularity: "per-tensor" }] };
const AIDS: RecipeInput = { aids: ["equalize", "clip-weights", "round-weights", "correct-bias"] };

beforeAll(async () => {
  soft = await fit(buildNet(), samplesOf(400, 2));
  hard = spread(soft, 100);
});

test("plain min-max loses more than 10 points of the hard net, with the aids at most one is lost", async () => {
  const float = await accuracyOf(hard);
  expect(float).toBeGreaterThan(85);
  expect(Math.abs(float - (await accuracyOf(soft)))).toBeLessThanOrEqual(0.2);
  const lossOf = async (recipe: RecipeInput): Promise<number> =>
    float - (await accuracyOf((await quantized(hard, recipe)).graph));
  expect(await lossOf(PER_TENSOR)).toBeGreaterThan(10);
  expect(await lossOf({})).toBeGreaterThan(10);
  expect(await lossOf({ ...PER_TENSOR, ...AIDS })).toBeLessThanOrEqual(1);
  expect(await lossOf(AIDS)).toBeLessThanOrEqual(1);
});

test("a search ends at the first recipe within the limit, and says what it tried", async () => {
  const limit = { score: accuracyOf, maxDrop: 1 };
  const calibrated = { run, samples: () => [feedsOf(calibration)] };
  const found = await searchRecipe(hard, calibrated, limit);
  expect(found.ok).toBe(true);
  expect(found.recipe).toEqual({ preset: "int8", aids: ["equalize", "correct-bias"] });
  expect(found.tried.slice(0, -1).every(({ drop }) => drop > 1)).toBe(true);
  // Where none is good enough, the best of them.
  const worse = await searchRecipe(hard, calibrated, { score: accuracyOf, maxDrop: 1 }, [PER_TENSOR, {}]);
  expect(worse.ok).toBe(false);
  expect(worse.recipe).toEqual({});
});

test("accuracy control returns the one bad layer to float, in a form that the runtime leaves alone", async () => {
  // One weight reaches 2000 times as far as the others of its layer: with one scale the others are nothing.
  const bad = "block2/pointwise";
  const weights = soft.constants.get(`${bad}/w`)!;
  const stretched = floatTensor(
    floatsOf(weights).map((value, i) => (i === 5 ? 2000 * value : value)),
    weights.shape,
  );
  const graph = { ...soft, constants: new Map(soft.constants).set(`${bad}/w`, stretched) };
  const calibrated = { run, samples: () => [feedsOf(calibration)] };
  const found = await quantizeWithin(graph, PER_TENSOR, calibrated, { score: accuracyOf, maxDrop: 1 });
  expect(found.ok).toBe(true);
  expect(found.ranking[0]!.node).toBe(bad);
  expect(found.trials.map(({ float }) => float)).toEqual([[], [bad]]);
  expect(found.trials[0]!.drop).toBeGreaterThan(1);

  const optimizedModelFilePath = join(await mkdtemp(join(tmpdir(), "distillate-control-")), "optimized.onnx");
  await InferenceSession.create(encodeModel(found.graph, { producer: "test", producerVersion: "1" }), {
    optimizedModelFilePath,
    graphOptimizationLevel: "extended",
    logSeverityLevel: 3,
  });
  const { node, initializer } = schema.ModelProto.decode(await readFile(optimizedModelFilePath)).graph!;
  expect(node!.filter(({ opType }) => opType === "QLinearConv")).toHaveLength(4);
  const [kept, ...others] = node!.filter(({ opType }) => opType === "Conv" || opType === "FusedConv");
  expect(others).toEqual([]);
  const weight = initializer!.find(({ name }) => name === kept!.input![1])!;
  expect([weight.dataType, weight.dims!.map(Number)]).toEqual([1, [CHANNELS, CHANNELS, 1, 1]]);
});
