import { InferenceSession, Tensor as WebTensor } from "onnxruntime-web";
import { describe, expect, test } from "vitest";
import { int, ints } from "../attr.ts";
import type { Feeds, Graph, Tensor } from "../graph.ts";
import { nodeRunner } from "../node-runner.test.helper.ts";
import { decodeModel } from "../onnx/decode.ts";
import { encodeModel } from "../onnx/encode.ts";
import { floatsOf, floatTensor } from "../tensor.ts";
import { compact } from "./compact.ts";
import { graphOf, METADATA, nodeOf, noise, optimizedOps, signalToNoise } from "./graphs.test.helper.ts";
import type { PresetName } from "./presets.ts";
import { quantize } from "./quantize.ts";
import { raiseOpset } from "./raise-opset.ts";

/** conv - relu - conv - relu - mean - gemm (transposed) - matmul, all large enough for `dynamic`. */
const graph = graphOf(
  ["batch", 8, 6, 6],
  [
    nodeOf("Conv", "conv", ["input", "w1", "b1"], { pads: ints([1, 1, 1, 1]) }),
    nodeOf("Relu", "relu", ["conv"]),
    nodeOf("Conv", "conv2", ["relu", "w2", "b2"], { strides: ints([2, 2]) }),
    nodeOf("ReduceMean", "mean", ["conv2"], { axes: ints([2, 3]), keepdims: int(0) }),
    nodeOf("Gemm", "hidden", ["mean", "w3", "b3"], { transB: int(1) }),
    nodeOf("MatMul", "logits", ["hidden", "w4"]),
  ],
  {
    w1: noise([64, 8, 3, 3], 1, 0.2),
    b1: noise([64], 2),
    w2: noise([16, 64, 3, 3], 3, 0.1),
    b2: noise([16], 4),
    w3: noise([256, 16], 5, 0.3),
    b3: noise([256], 6),
    w4: noise([256, 16], 7, 0.1),
  },
);
/** Weights that int8 holds exactly: what is lost is lost by activations. */
const exact = (shape: readonly number[], seed: number): Tensor => {
  const size = shape.slice(1).reduce((product, side) => product * side, 1);
  const values = floatsOf(noise(shape, seed, 1)).map((value, i) =>
    i % size === 0 ? 1 : Math.round(127 * value) / 127,
  );
  return floatTensor(values, shape);
};
const samples = [1, 2].map((seed): Feeds => ({ input: noise([2, 8, 6, 6], seed) }));
const made = async (preset: PresetName): ReturnType<typeof quantize> =>
  quantize(graph, { preset }, { run: nodeRunner, samples: () => samples });

/** The largest difference between what both runtimes make of a file, by the largest value. */
async function apart(file: Graph): Promise<number> {
  const onnx = encodeModel(compact(file), METADATA);
  const node = await nodeRunner(onnx);
  const expected = floatsOf((await node.run(samples[0]!)).logits!);
  await node.dispose();
  const session = await InferenceSession.create(onnx, { logSeverityLevel: 3 });
  const { data, dims } = { data: floatsOf(samples[0]!.input!), dims: samples[0]!.input!.shape };
  const { logits } = await session.run({ input: new WebTensor("float32", data, dims) });
  await session.release();
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return expected.reduce((most, value, i) => Math.max(most, Math.abs(value - Number(logits!.data[i]))), 0) / largest;
}

describe("int16-activations", () => {
  test("nearly float, at opset 21, in both runtimes", async () => {
    const { graph: integers, report } = await made("int16-activations");
    expect(integers.opset).toBe(21);
    expect(report.tensors.find(({ tensor }) => tensor === "relu")).toMatchObject({ dtype: "uint16", zero: 0 });
    expect(report.tensors.find(({ tensor }) => tensor === "b1")).toMatchObject({
      dtype: "float32",
      reason: "beyond-int32",
    });
    expect(await apart(integers)).toBeLessThan(1e-3);

    const precise = { ...graph, constants: new Map(graph.constants) };
    for (const [i, name] of ["w1", "w2", "w3"].entries())
      precise.constants.set(name, exact(graph.constants.get(name)!.shape, i));
    precise.constants.set("w4", floatTensor(new Float32Array(256 * 16).fill(0.1), [256, 16]));
    const [sixteen, eight] = await Promise.all(
      (["int16-activations", "int8"] as const).map(async (preset) => {
        const found = await quantize(precise, { preset }, { run: nodeRunner, samples: () => samples });
        return signalToNoise(precise, found.graph, samples);
      }),
    );
    // Eight bits more of each activation are 48 dB.
    expect(sixteen! - eight!).toBeGreaterThan(30);
  });
});

describe("dynamic", () => {
  test("large products in integers, in both runtimes; onnxruntime fuses them", async () => {
    const { graph: integers, report } = await made("dynamic");
    expect(report.samples).toBe(0);
    expect(
      Object.fromEntries(
        report.tensors.filter(({ role }) => role === "weight").map(({ tensor, dtype }) => [tensor, dtype]),
      ),
    ).toEqual({ w1: "uint8", w2: "uint8", w3: "int8", w4: "int8" });
    expect(await signalToNoise(graph, integers, samples)).toBeGreaterThan(30);
    expect(await apart(integers)).toBeLessThan(0.02);
    const ops = await optimizedOps(encodeModel(integers, METADATA));
    expect(ops.filter((op) => op === "DynamicQuantizeMatMul")).toHaveLength(2);
    expect(ops.filter((op) => op === "ConvInteger")).toHaveLength(2);
    expect(encodeModel(compact(integers), METADATA).byteLength).toBeLessThan(
      encodeModel(graph, METADATA).byteLength / 2.5,
    );
  });

  test("small weights and convolutions by groups stay float, and are said", async () => {
    const small = graphOf(
      ["batch", 64, 4, 4],
      [nodeOf("Conv", "conv", ["input", "w1"], { group: int(64) }), nodeOf("Conv", "logits", ["conv", "w2"])],
      { w1: noise([64, 1, 3, 3], 1), w2: noise([8, 64, 1, 1], 2) },
    );
    const { graph: same, report } = await quantize(
      small,
      { preset: "dynamic" },
      { run: nodeRunner, samples: () => [] },
    );
    expect(same.nodes).toEqual(small.nodes);
    expect(report.tensors).toEqual([
      { tensor: "w1", role: "weight", dtype: "float32", reason: "form-not-quantised" },
      { tensor: "w2", role: "weight", dtype: "float32", reason: "too-small" },
    ]);
  });
});

describe("a newer opset", () => {
  test("says the same: axes move to an input, equal parts are counted", async () => {
    const old = graphOf(
      ["batch", 4, 6],
      [
        { ...nodeOf("Split", "a", ["input"], { axis: int(1) }), outputs: ["a", "b"] },
        nodeOf("Mul", "c", ["a", "b"]),
        nodeOf("ReduceMax", "logits", ["c"], { axes: ints([2]), keepdims: int(0) }),
      ],
      {},
    );
    const raised = raiseOpset(old, 21);
    const on = [{ input: noise([2, 4, 6], 1) }];
    expect(await signalToNoise(old, decodeModel(encodeModel(raised, METADATA)).graph, on)).toBe(
      Number.POSITIVE_INFINITY,
    );
    expect(raiseOpset(raised, 21)).toBe(raised);
  });
});
