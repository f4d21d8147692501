import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { onnx as schema } from "onnx-proto";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import type { Feeds, Graph, Node, Runner } from "../graph.ts";
import { encodeModel } from "../onnx/encode.ts";
import { floatsOf, floatTensor } from "../tensor.ts";
import { affineFor, roundEven } from "./affine.ts";
import { quantize } from "./quantize.ts";

const run: Runner = async (onnx, options) => {
  const session = await InferenceSession.create(onnx, {
    graphOptimizationLevel: options?.optimization ?? "all",
    logSeverityLevel: 3,
  });
  return {
    async run(feeds) {
      const inputs = Object.entries(feeds).map(
        ([name, t]) => [name, new OrtTensor("float32", floatsOf(t), t.shape)] as const,
      );
      const results = await session.run(Object.fromEntries(inputs));
      return Object.fromEntries(
        Object.entries(results).map(([name, t]) => [name, floatTensor(t.data as Float32Array, t.dims)]),
      );
    },
    dispose: () => session.release(),
  };
};

const noise = (length: number, seed: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => Math.sin(seed + i * 12.9898) * 0.7);
const feeds = (seed: number): Feeds => ({ input: floatTensor(noise(2 * 3 * 64, seed), [2, 3, 8, 8]) });
const samples = [1, 2, 3, 4].map(feeds);

/** conv - relu - [depthwise - relu6 - 1x1 conv - add] - relu - max pool - global average - flatten - gemm */
const graph: Graph = (() => {
  const pads = { kernel_shape: { kind: "ints", value: [3, 3] }, pads: { kind: "ints", value: [1, 1, 1, 1] } } as const;
  const constants = new Map(
    Object.entries({
      w1: floatTensor(noise(4 * 3 * 9, 5), [4, 3, 3, 3]),
      b1: floatTensor(noise(4, 6), [4]),
      w2: floatTensor(noise(4 * 9, 7), [4, 1, 3, 3]),
      b2: floatTensor(noise(4, 8), [4]),
      w3: floatTensor(noise(16, 9), [4, 4, 1, 1]),
      low: floatTensor(Float32Array.of(0), []),
      high: floatTensor(Float32Array.of(6), []),
      w4: floatTensor(noise(12, 10), [3, 4]),
      b4: floatTensor(noise(3, 11), [3]),
    }),
  );
  const shapes: Record<string, number[]> = { pool: [4, 4, 4], mean: [4, 1, 1], flat: [4], logits: [3] };
  const node = (op: string, name: string, inputs: string[], attrs: Node["attrs"] = {}): Node => ({
    op,
    domain: "",
    name,
    inputs,
    outputs: [name],
    attrs,
  });
  const nodes = [
    node("Conv", "conv", ["input", "w1", "b1"], pads),
    node("Relu", "relu", ["conv"]),
    node("Conv", "depthwise", ["relu", "w2", "b2"], { ...pads, group: { kind: "int", value: 4 } }),
    node("Clip", "relu6", ["depthwise", "low", "high"]),
    node("Conv", "pointwise", ["relu6", "w3"], { kernel_shape: { kind: "ints", value: [1, 1] } }),
    node("Add", "sum", ["relu", "pointwise"]),
    node("Relu", "relu2", ["sum"]),
    node("MaxPool", "pool", ["relu2"], {
      kernel_shape: { kind: "ints", value: [2, 2] },
      strides: { kind: "ints", value: [2, 2] },
    }),
    node("GlobalAveragePool", "mean", ["pool"]),
    node("Flatten", "flat", ["mean"]),
    node("Gemm", "logits", ["flat", "w4", "b4"], { transB: { kind: "int", value: 1 } }),
  ];
  const values = new Map(
    nodes.map(
      ({ name }) => [name, { name, dtype: "float32", shape: ["batch", ...(shapes[name] ?? [4, 8, 8])] }] as const,
    ),
  );
  return {
    name: "test",
    opset: 17,
    inputs: [{ name: "input", dtype: "float32", shape: ["batch", 3, 8, 8] }],
    outputs: [values.get("logits")!],
    nodes,
    constants,
    values,
  };
})();
const metadata = { producer: "test", producerVersion: "1" };

test("close to the float model, and every Conv and Add runs in integers", async () => {
  const { graph: quantized, report } = await quantize(graph, {}, { run, samples: () => samples });
  const bytes = encodeModel(quantized, metadata);
  const [float, integer] = [await run(encodeModel(graph, metadata)), await run(bytes)];
  let [error, signal] = [0, 0];
  for (const sample of samples) {
    const [expected, found] = [
      floatsOf((await float.run(sample)).logits!),
      floatsOf((await integer.run(sample)).logits!),
    ];
    for (const [i, value] of expected.entries()) {
      error += (value - found[i]!) ** 2;
      signal += value ** 2;
    }
  }
  expect(10 * Math.log10(signal / error)).toBeGreaterThan(30);

  const optimizedModelFilePath = join(await mkdtemp(join(tmpdir(), "distillate-quant-")), "optimized.onnx");
  await InferenceSession.create(bytes, {
    optimizedModelFilePath,
    graphOptimizationLevel: "extended",
    logSeverityLevel: 3,
  });
  const ops = schema.ModelProto.decode(await readFile(optimizedModelFilePath)).graph!.node!.map(
    ({ opType }) => opType!,
  );
  expect(ops.filter((op) => op === "QLinearConv")).toHaveLength(3);
  expect(ops.filter((op) => op === "QLinearAdd")).toHaveLength(1);
  expect(ops.filter((op) => ["Conv", "FusedConv", "Add", "Relu", "Clip"].includes(op))).toEqual([]);

  const by = (tensor: string): unknown => report.tensors.find((one) => one.tensor === tensor);
  expect(by("relu")).toMatchObject({ role: "activation", dtype: "uint8", zero: 0, reason: "measured" });
  expect(by("conv")).toMatchObject({ dtype: "float32", reason: "fused-into-next" });
  expect(by("pool")).toMatchObject({ reason: "shares-scale" });
});

describe("the affine map", () => {
  test("covers the range to half a step, zero exactly", () => {
    const side = fc.float({ min: -1000, max: 1000, noNaN: true });
    fc.assert(
      fc.property(side, side, fc.double({ min: 0, max: 1, noNaN: true }), (a, b, at) => {
        const range = { min: Math.min(0, a, b), max: Math.max(0, a, b) };
        fc.pre(range.max - range.min > 1e-6);
        const { scale, zero } = affineFor(range);
        const value = range.min + at * (range.max - range.min);
        const q = Math.min(255, Math.max(0, roundEven(value / scale) + zero));
        // The zero point is rounded too, so an end of the range may lie half a step further out.
        expect(Math.abs((q - zero) * scale - value)).toBeLessThanOrEqual(1.001 * scale);
        if (range.min === 0) expect(zero).toBe(0);
        expect(zero).toBeGreaterThanOrEqual(0);
        expect(zero).toBeLessThanOrEqual(255);
      }),
    );
  });

  test("golden values by hand, and a tensor that is always zero", () => {
    expect(affineFor({ min: 0, max: 255 })).toEqual({ scale: 1, zero: 0 });
    expect(affineFor({ min: -1, max: 3 })).toEqual({ scale: Math.fround(4 / 255), zero: 64 });
    expect(affineFor({ min: 0, max: 0 })).toEqual({ scale: 1, zero: 0 });
    expect([0.5, 1.5, 2.5, -0.5, -1.5, 2.4].map(roundEven).map((v) => v + 0)).toEqual([0, 2, 2, 0, -2, 2]);
  });
});

test("no samples and samples that overflow are named", async () => {
  await expect(quantize(graph, {}, { run, samples: () => [] })).rejects.toMatchObject({ code: "calibration-empty" });
  const wild = { input: floatTensor(new Float32Array(3 * 64).fill(Number.NaN), [1, 3, 8, 8]) };
  await expect(quantize(graph, {}, { run, samples: () => [wild] })).rejects.toMatchObject({
    code: "calibration-not-finite",
  });
});
