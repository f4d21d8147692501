import { describe, expect, test } from "vitest";
import { int, ints } from "../../attr.ts";
import type { Feeds, Graph, Node, Tensor } from "../../graph.ts";
import { inferShapes } from "../../infer.ts";
import { nodeRunner as run } from "../../node-runner.test.helper.ts";
import { encodeModel } from "../../onnx/encode.ts";
import { floatsOf, floatTensor } from "../../tensor.ts";
import { quantize } from "../quantize.ts";
import type { RecipeInput } from "../recipe.ts";
import { equalize } from "./equalize.ts";
import { eachPatch } from "./patches.ts";

const noise = (shape: readonly number[], seed: number): Tensor =>
  floatTensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) =>
      Math.sin(seed + i * i * 0.37 + i * 12.9898),
    ),
    shape,
  );
const samples = (): Iterable<Feeds> => [1, 2, 3, 4].map((seed) => ({ x: noise([8, 3, 8, 8], seed) }));

/** conv - relu - depthwise - relu - max pool - grouped conv - leaky relu - flatten - gemm - relu - gemm, channels spread by `spread`. */
function chain(spread: number): Graph {
  const node = (op: string, name: string, inputs: string[], attrs: Node["attrs"] = {}): Node => ({
    op,
    domain: "",
    name,
    inputs,
    outputs: [name],
    attrs,
  });
  const pads = { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]) };
  const uneven = (tensor: Tensor, channels: number): Tensor => {
    const values = floatsOf(tensor);
    const size = values.length / channels;
    const factor = (channel: number): number => spread ** (((channel * 7) % channels) / (channels - 1) - 0.5);
    return floatTensor(
      values.map((value, i) => value * factor(Math.floor(i / size))),
      tensor.shape,
    );
  };
  return inferShapes({
    name: "chain",
    opset: 17,
    inputs: [{ name: "x", dtype: "float32", shape: ["batch", 3, 8, 8] }],
    outputs: [{ name: "y", dtype: "float32", shape: ["batch", 5] }],
    nodes: [
      node("Conv", "first", ["x", "w1", "b1"], pads),
      node("Relu", "relu1", ["first"]),
      node("Conv", "depthwise", ["relu1", "w2", "b2"], { ...pads, group: int(8) }),
      node("Relu", "relu2", ["depthwise"]),
      node("MaxPool", "pool", ["relu2"], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }),
      node("Conv", "grouped", ["pool", "w3"], { kernel_shape: ints([1, 1]), group: int(2) }),
      node("LeakyRelu", "leaky", ["grouped"]),
      node("Flatten", "flat", ["leaky"]),
      node("Gemm", "hidden", ["flat", "w4", "b4"], { transB: int(1) }),
      node("Relu", "relu3", ["hidden"]),
      node("Gemm", "y", ["relu3", "w5", "b5"]),
    ],
    constants: new Map(
      Object.entries({
        w1: uneven(noise([8, 3, 3, 3], 11), 8),
        b1: uneven(noise([8], 12), 8),
        w2: uneven(noise([8, 1, 3, 3], 13), 8),
        b2: uneven(noise([8], 14), 8),
        w3: noise([6, 4, 1, 1], 15),
        w4: uneven(noise([12, 96], 16), 12),
        b4: noise([12], 17),
        w5: noise([12, 5], 18),
        b5: noise([5], 19),
      }),
    ),
    values: new Map(),
  });
}

async function outputs(graph: Graph, edge = "y", optimization: "all" | "disabled" = "all"): Promise<Float32Array> {
  const metadata = { producer: "test", producerVersion: "1" };
  const watched = edge === "y" ? graph : { ...graph, outputs: [graph.values.get(edge)!] };
  const model = await run(encodeModel(watched, metadata), { optimization });
  const found: number[] = [];
  for (const feeds of samples()) found.push(...floatsOf((await model.run(feeds))[edge]!));
  await model.dispose();
  return Float32Array.from(found);
}

const quantized = async (graph: Graph, recipe: RecipeInput) => quantize(graph, recipe, { run, samples });

function squaredError(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0);
}

describe("equalize", () => {
  test("computes the same function from channels that are level, through depthwise, grouped and flattened layers", async () => {
    const graph = chain(100);
    const { graph: level, notes } = equalize(graph);
    const [expected, found] = [await outputs(graph), await outputs(level)];
    const size = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(Math.sqrt(squaredError(found, expected) / found.length)).toBeLessThan(1e-6 * size);
    expect(notes.map(({ node, done }) => [node, done])).toEqual([
      ["y", false],
      ["first", true],
      ["depthwise", true],
      ["grouped", true],
      ["hidden", true],
    ]);
    // Both sides of a pair have the same largest magnitude, channel by channel.
    const largest = (edge: string, channels: number): number[] => {
      const values = floatsOf(level.constants.get(edge)!);
      const slice = values.length / channels;
      return Array.from({ length: channels }, (_, c) =>
        Math.max(...values.subarray(c * slice, (c + 1) * slice).map(Math.abs)),
      );
    };
    const [before, behind] = [largest("w1", 8), largest("w2", 8)];
    for (const [c, value] of before.entries()) expect(value / behind[c]!).toBeCloseTo(1, 2);
  });

  test("leaves what is read twice, and what is not homogeneous, with the reason", () => {
    const graph = chain(1);
    const clipped = {
      ...graph,
      nodes: graph.nodes.map((node) => (node.name === "relu1" ? { ...node, op: "Sigmoid" } : node)),
    };
    const { notes } = equalize(clipped);
    expect(notes.find(({ node }) => node === "first")).toMatchObject({
      done: false,
      what: "Sigmoid relu1 behind it is not homogeneous",
    });
  });

  test("a Clip from 0 on is a rectifier; one that cuts above (ReLU6) stops it, and the report says why", async () => {
    const graph = chain(100);
    const clipped = (...ends: readonly string[]): Graph => ({
      ...graph,
      nodes: graph.nodes.map((node) =>
        node.name === "relu1" ? { ...node, op: "Clip", inputs: [...node.inputs, ...ends] } : node,
      ),
      constants: new Map([
        ...graph.constants,
        ["zero", floatTensor(Float32Array.of(0), [])],
        ...(ends.includes("six") ? [["six", floatTensor(Float32Array.of(6), [])] as const] : []),
      ]),
    });
    const open = equalize(clipped("zero"));
    expect(open.notes.find(({ node }) => node === "first")).toMatchObject({ done: true });
    const [expected, found] = [await outputs(graph), await outputs(open.graph)];
    const size = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(Math.sqrt(squaredError(found, expected) / found.length)).toBeLessThan(1e-6 * size);

    const six = equalize(clipped("zero", "six"));
    expect(six.notes.find(({ node }) => node === "first")).toEqual({
      aid: "equalize",
      node: "first",
      done: false,
      what: "Clip relu1 behind it cuts all channels at 6: a channel that is scaled would be cut elsewhere",
    });
    expect(six.graph.constants.get("w1")).toEqual(graph.constants.get("w1"));
  });
});

test("clip-weights: the squared error grows in no tensor, and a large weight among many small ones is cut off", async () => {
  const graph = chain(1);
  const values = floatsOf(graph.constants.get("w4")!).map((value, i) => (i === 5 ? 0.12 : 0.1 * value));
  const lone = { ...graph, constants: new Map(graph.constants).set("w4", floatTensor(values, [12, 96])) };
  const asked: RecipeInput = { preset: "int8-7bit", rules: [{ op: "Gemm", granularity: "per-tensor" }] };
  const [plain, clipped] = [await quantized(lone, asked), await quantized(lone, { ...asked, aids: ["clip-weights"] })];
  const error = ({ graph: { constants } }: typeof plain): number => {
    const [scale] = floatsOf(constants.get("w4/scale")!);
    const q = new Int8Array(constants.get("w4/q")!.bytes);
    return values.reduce((sum, value, i) => sum + (q[i]! * scale! - value) ** 2, 0);
  };
  expect(error(clipped)).toBeLessThan(error(plain));
  expect(clipped.report.aids.every(({ aid }) => aid === "clip-weights")).toBe(true);
});

describe("round-weights", () => {
  test("patches are what a convolution multiplies its weights by", async () => {
    const graph = chain(1);
    const conv = graph.nodes[2]!;
    const [weight, bias] = [graph.constants.get("w2")!, floatsOf(graph.constants.get("b2")!)];
    const { x } = [...samples()][0]!;
    const model = await run(
      encodeModel(
        { ...graph, outputs: [graph.values.get("relu1")!, graph.values.get("depthwise")!] },
        { producer: "t", producerVersion: "1" },
      ),
    );
    const { relu1, depthwise } = await model.run({ x: x! });
    const [expected, sums] = [floatsOf(depthwise!), [] as number[]];
    eachPatch(conv, weight, relu1!, 64, (patch, group) => {
      const w = floatsOf(weight).subarray(group * 9, group * 9 + 9);
      sums.push(patch.reduce((sum, value, i) => sum + value * w[i]!, bias[group]!));
    });
    expect(sums).toHaveLength(expected.length);
    for (const [i, sum] of sums.entries()) {
      // Place by place, all channels at each: the model has all places of each channel.
      const [sample, place, channel] = [Math.floor(i / 512), Math.floor((i % 512) / 8), i % 8];
      expect(sum).toBeCloseTo(expected[sample * 512 + channel * 64 + place]!, 4);
    }
  });

  test("goes up or down by one step at most, and the sums of each layer err less than rounded to nearest", async () => {
    const graph = chain(1);
    const [nearest, rounded] = [await quantized(graph, {}), await quantized(graph, { aids: ["round-weights"] })];
    let moved = 0;
    for (const edge of ["w1", "w2", "w3", "w4", "w5"]) {
      const scales = floatsOf(rounded.graph.constants.get(`${edge}/scale`)!);
      expect([...scales]).toEqual([...floatsOf(nearest.graph.constants.get(`${edge}/scale`)!)]);
      const [a, b] = [nearest, rounded].map((one) => new Int8Array(one.graph.constants.get(`${edge}/q`)!.bytes)) as [
        Int8Array,
        Int8Array,
      ];
      for (const [i, q] of a.entries()) {
        expect(Math.abs(q - b[i]!)).toBeLessThanOrEqual(1);
        if (q !== b[i]) moved++;
      }
    }
    expect(moved).toBeGreaterThan(20);
    // The sums of one layer, on the float model's own inputs, computed by the runtime.
    const sumsWith = async (
      edge: string,
      layer: string,
      { graph: { constants } }: typeof nearest,
    ): Promise<Float32Array> => {
      const q = new Int8Array(constants.get(`${edge}/q`)!.bytes);
      const scales = floatsOf(constants.get(`${edge}/scale`)!);
      const size = q.length / scales.length;
      const values = Float32Array.from(q, (value, i) => value * scales[edge === "w5" ? i % 5 : Math.floor(i / size)]!);
      const weight = floatTensor(values, graph.constants.get(edge)!.shape);
      return outputs({ ...graph, constants: new Map(graph.constants).set(edge, weight) }, layer, "disabled");
    };
    for (const [edge, layer] of [
      ["w1", "first"],
      ["w2", "depthwise"],
      ["w3", "grouped"],
      ["w4", "hidden"],
      ["w5", "y"],
    ] as const) {
      const float = await outputs(graph, layer, "disabled");
      const [before, after] = [await sumsWith(edge, layer, nearest), await sumsWith(edge, layer, rounded)];
      expect(squaredError(after, float), layer).toBeLessThan(squaredError(before, float));
    }
  });
});

test("correct-bias: the outputs' means are those of the float model, which rounding had shifted", async () => {
  const graph = chain(20);
  const meansOf = (values: Float32Array): number[] =>
    Array.from({ length: 5 }, (_, c) =>
      values.filter((_v, i) => i % 5 === c).reduce((sum, value) => sum + (value * 5) / values.length, 0),
    );
  const float = meansOf(await outputs(graph));
  const off = async (recipe: RecipeInput): Promise<number> => {
    const means = meansOf(await outputs((await quantized(graph, recipe)).graph, "y", "disabled"));
    return Math.max(...means.map((mean, c) => Math.abs(mean - float[c]!)));
  };
  const [before, after] = [await off({}), await off({ aids: ["correct-bias"] })];
  expect(after).toBeLessThan(before / 5);
  const { report } = await quantized(graph, { aids: ["correct-bias"] });
  expect(report.aids.filter(({ done }) => !done)).toEqual([
    { aid: "correct-bias", node: "grouped", done: false, what: "it has no bias of its own, one a channel" },
  ]);
});

test("given ranges stand, and what would change them is left out by name", async () => {
  const given = { tensor: "^relu1$", calibrator: { kind: "given", min: 0, max: 51 } } as const;
  const { report, float } = await quantized(chain(1), { rules: [given], aids: ["equalize", "correct-bias"] });
  const relu = report.tensors.find(({ tensor }) => tensor === "relu1");
  expect(relu).toMatchObject({ reason: "given", range: { min: 0, max: 51 }, scale: Math.fround(51 / 255), zero: 0 });
  expect(report.aids[0]).toMatchObject({ aid: "equalize", done: false });
  expect(float.constants.get("w1")).toEqual(chain(1).constants.get("w1"));
});
