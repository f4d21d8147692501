import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onnx as schema } from "onnx-proto";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import * as web from "onnxruntime-web";
import { expect, test } from "vitest";
import { int } from "../../attr.ts";
import type { Graph, Node, Tensor } from "../../graph.ts";
import { inferShapes } from "../../infer.ts";
import { nodeRunner } from "../../node-runner.test.helper.ts";
import { decodeModel } from "../../onnx/decode.ts";
import { encodeModel } from "../../onnx/encode.ts";
import { floatsOf, floatTensor, intTensor } from "../../tensor.ts";
import { quantize } from "../quantize.ts";
import type { RecipeInput } from "../recipe.ts";
import { storeInt4Weights } from "./int4-weights.ts";
import { storeInt8Weights } from "./int8-weights.ts";

const noise = (shape: readonly number[], seed: number): Tensor =>
  floatTensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(seed + i * 12.9898) * 0.3),
    shape,
  );

/** ids -> Gather -> LSTM -> GRU -> [Conv -> ConvTranspose] -> MatMul -> Gemm, each with weights that are worth storing. */
const graph: Graph = (() => {
  const node = (op: string, name: string, inputs: string[], attrs: Node["attrs"] = {}, outputs = [name]): Node => ({
    op,
    domain: "",
    name,
    inputs,
    outputs,
    attrs,
  });
  return inferShapes({
    name: "weights",
    opset: 17,
    inputs: [{ name: "ids", dtype: "int64", shape: [6, 2] }],
    outputs: [{ name: "y", dtype: "float32", shape: [2, 10] }],
    nodes: [
      node("Gather", "embedded", ["table", "ids"]),
      node("LSTM", "lstm", ["embedded", "lstm/w", "lstm/r"], { hidden_size: int(16) }),
      node("Squeeze", "steps", ["lstm", "one"]),
      node("GRU", "gru", ["steps", "gru/w", "gru/r"], { hidden_size: int(16) }, ["", "last"]),
      node("Reshape", "image", ["last", "image/shape"]),
      node("Conv", "conv", ["image", "conv/w"]),
      node("ConvTranspose", "up", ["conv", "up/w"]),
      node("Flatten", "flat", ["up"]),
      node("MatMul", "hidden", ["flat", "hidden/w"]),
      node("Gemm", "y", ["hidden", "y/w", "y/b"], { transB: int(1) }),
    ],
    constants: new Map([
      ["table", noise([70, 64], 1)],
      ["lstm/w", noise([1, 64, 64], 2)],
      ["lstm/r", noise([1, 64, 16], 3)],
      ["one", intTensor([1])],
      ["gru/w", noise([1, 48, 16], 4)],
      ["gru/r", noise([1, 48, 16], 5)],
      ["image/shape", intTensor([2, 1, 4, 4])],
      ["conv/w", noise([4, 1, 3, 3], 6)],
      ["up/w", noise([4, 4, 2, 2], 7)],
      ["hidden/w", noise([36, 128], 8)],
      ["y/w", noise([10, 128], 9)],
      ["y/b", noise([10], 10)],
    ]),
    values: new Map(),
  });
})();
const all = (): boolean => true;
const metadata = { producer: "test", producerVersion: "1" };
const ids = BigInt64Array.from({ length: 12 }, (_, i) => BigInt((i * 29) % 70));

async function run(of: Graph, runtime: "node" | "wasm" = "node"): Promise<Float32Array> {
  const bytes = encodeModel(of, metadata);
  const { y } =
    runtime === "node"
      ? await (await InferenceSession.create(bytes, { logSeverityLevel: 3 })).run({
          ids: new OrtTensor("int64", ids, [6, 2]),
        })
      : await (await web.InferenceSession.create(bytes, { executionProviders: ["wasm"], logSeverityLevel: 3 })).run({
          ids: new web.Tensor("int64", ids, [6, 2]),
        });
  return y!.data as Float32Array;
}

const furthest = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

/** What storing makes of the weights, computed apart: values along `inner` share a scale, `levels` of them on a side. */
function rounded(tensor: Tensor, group: (index: readonly number[]) => string, levels: number): Tensor {
  const values = floatsOf(tensor);
  const index = (flat: number): readonly number[] => {
    let rest = flat;
    return [...tensor.shape]
      .reverse()
      .map((size) => {
        const at = rest % size;
        rest = (rest - at) / size;
        return at;
      })
      .reverse();
  };
  const largest: Record<string, number> = {};
  for (const [i, value] of values.entries()) {
    const key = group(index(i));
    largest[key] = Math.max(largest[key] ?? 0, Math.abs(value));
  }
  const result = values.map((value, i) => {
    const scale = largest[group(index(i))]! / levels;
    return Math.round(value / scale) * scale;
  });
  return floatTensor(Float32Array.from(result), tensor.shape);
}

const GROUPS: Readonly<Record<string, (index: readonly number[]) => string>> = {
  table: ([row]) => `${row}`,
  "lstm/w": ([, gate]) => `${gate}`,
  "lstm/r": ([, gate]) => `${gate}`,
  "gru/w": ([, gate]) => `${gate}`,
  "gru/r": ([, gate]) => `${gate}`,
  "up/w": ([, channel]) => `${channel}`,
  "hidden/w": ([, column]) => `${column}`,
  "y/w": ([row]) => `${row}`,
};

test("int8-weights computes what the float graph with rounded weights does, in both runtimes, from a quarter of the bytes", async () => {
  const { graph: stored, tensors } = storeInt8Weights(graph, all);
  expect(tensors.filter(({ dtype }) => dtype === "float32")).toEqual([
    { tensor: "conv/w", role: "weight", dtype: "float32", reason: "too-small" },
  ]);
  const constants = new Map(graph.constants);
  for (const [edge, group] of Object.entries(GROUPS))
    constants.set(edge, rounded(graph.constants.get(edge)!, group, 127));
  const expected = await run({ ...graph, constants });
  for (const runtime of ["node", "wasm"] as const)
    expect(furthest(await run(stored, runtime), expected)).toBeLessThanOrEqual(1e-5);
  expect(furthest(expected, await run(graph))).toBeGreaterThan(1e-5);
  expect(encodeModel(stored, metadata).length).toBeLessThan(0.4 * encodeModel(graph, metadata).length);
  expect(decodeModel(encodeModel(stored, metadata)).graph.nodes.length).toBe(stored.nodes.length);
});

test("at load the runtime folds every stored weight but the table, whose rows are looked up in int8", async () => {
  const optimizedModelFilePath = join(await mkdtemp(join(tmpdir(), "distillate-weights-")), "optimized.onnx");
  await InferenceSession.create(encodeModel(storeInt8Weights(graph, all).graph, metadata), {
    optimizedModelFilePath,
    graphOptimizationLevel: "extended",
    logSeverityLevel: 3,
  });
  const nodes = schema.ModelProto.decode(await readFile(optimizedModelFilePath)).graph!.node!;
  const ops = nodes.map(({ opType }) => opType);
  expect(ops.filter((op) => op === "Cast" || op === "Mul")).toEqual(["Cast", "Mul"]);
  expect(ops.filter((op) => op === "Gather")).toHaveLength(2);
});

test("int4-weights: large products and tables in blocks, close to the float model in both runtimes", async () => {
  const { graph: stored, tensors } = storeInt4Weights(graph, all);
  const ops = stored.nodes.map(({ op }) => op);
  expect(ops).toContain("GatherBlockQuantized");
  expect(ops.filter((op) => op === "MatMulNBits")).toHaveLength(1);
  expect(tensors.filter(({ reason }) => reason === "block-wise").map(({ tensor }) => tensor)).toEqual([
    "table",
    "hidden/w",
  ]);
  const [node, wasm] = [await run(stored), await run(stored, "wasm")];
  expect(furthest(node, wasm)).toBeLessThanOrEqual(1e-4);
  // The float graph with the weights that the bytes stand for, read by the ops' definition.
  const float = { ...graph, constants: new Map(graph.constants) };
  for (const [edge, name, turned] of [
    ["table", "table/rows", false],
    ["hidden/w", "hidden/w/q4", true],
  ] as const) {
    const original = graph.constants.get(edge)!;
    const [rows, length] = turned ? [original.shape[1]!, original.shape[0]!] : (original.shape as [number, number]);
    const { bytes } = stored.constants.get(name)!;
    const scales = floatsOf(stored.constants.get(`${name}/scale`)!);
    const blocks = Math.ceil(length / 32);
    const values = new Float32Array(rows * length);
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < length; i++) {
        const code = (bytes[(row * blocks * 32 + i) >> 1]! >> ((i % 2) * 4)) & 15;
        const at = turned ? i * rows + row : row * length + i;
        const scale = scales[row * blocks + Math.floor(i / 32)]!;
        values[at] = (code - 8) * scale;
        // Within half a step, or cut off by a fifth of the range at most.
        const error = Math.abs(values[at]! - floatsOf(original)[at]!);
        expect(error).toBeLessThanOrEqual(Math.abs(scale) * (code === 0 || code === 15 ? 2.5 : 0.5001));
      }
    }
    float.constants.set(edge, floatTensor(values, original.shape));
  }
  for (const edge of Object.keys(GROUPS).filter((name) => name !== "table" && name !== "hidden/w"))
    float.constants.set(edge, rounded(graph.constants.get(edge)!, GROUPS[edge]!, 127));
  expect(furthest(node, await run(float))).toBeLessThanOrEqual(1e-4);
  expect(decodeModel(encodeModel(stored, metadata)).graph.nodes.length).toBe(stored.nodes.length);
});

test("a graph without weights worth storing, and a constant that is read in two ways, stay as they are", () => {
  const bare = { ...graph, nodes: [], constants: new Map() };
  expect(storeInt8Weights(bare, all).graph).toBe(bare);
  const twice = inferShapes({
    ...graph,
    outputs: [{ name: "z", dtype: "float32", shape: [40, 40] }],
    nodes: [{ op: "MatMul", domain: "", name: "z", inputs: ["w", "w"], outputs: ["z"], attrs: {} }],
    constants: new Map([["w", noise([40, 40], 1)]]),
    values: new Map(),
  });
  expect(storeInt8Weights(twice, all).graph).toBe(twice);
  expect(storeInt4Weights(twice, all).graph).toBe(twice);
});

test.each(["int8-weights", "int4-weights", "fp16"] as const)(
  "%s leaves what a rule keeps, and says so",
  async (preset) => {
    const recipe: RecipeInput = { preset, rules: [{ op: "MatMul", precision: "float" }], aids: ["equalize"] };
    const { graph: stored, report } = await quantize(graph, recipe, { run: nodeRunner, samples: () => [] });
    expect(report.tensors.find(({ tensor }) => tensor === "hidden/w")).toMatchObject({ reason: "rule-says-float" });
    const kept = [...stored.constants].find(([name]) => name.startsWith("hidden/w"))![1];
    expect([kept.dtype, kept.shape]).toEqual(["float32", [36, 128]]);
    expect(stored.constants.get("y/w")?.dtype).not.toBe("float32");
    // Aids would have nothing to work on: that they were asked for is not passed over.
    expect(report.aids).toMatchObject([{ aid: "equalize", done: false }]);
  },
);
