/** Every row of the policy, held against what onnxruntime's optimiser makes of it: op by op between two convolutions. */
import { describe, expect, test } from "vitest";
import { float, int, ints, text } from "../attr.ts";
import type { Feeds, Node, Tensor } from "../graph.ts";
import { nodeRunner } from "../node-runner.test.helper.ts";
import { encodeModel } from "../onnx/encode.ts";
import { floatTensor, intTensor, scalar } from "../tensor.ts";
import { graphOf, METADATA, nodeOf, noise, optimizedOps, signalToNoise } from "./graphs.test.helper.ts";
import { POLICY } from "./policy.ts";
import { quantize } from "./quantize.ts";

/** What stands between the convolutions, from `x` to `y`, and what onnxruntime should run for it. */
interface Case {
  readonly nodes: readonly Node[];
  readonly constants?: Readonly<Record<string, Tensor>>;
  readonly runs: readonly string[];
}

const moved = (op: string, attrs: Node["attrs"], inputs: Readonly<Record<string, Tensor>> = {}): Case => ({
  nodes: [nodeOf(op, "y", ["x", ...Object.keys(inputs)], attrs)],
  constants: inputs,
  runs: [op],
});

const CASES: { readonly [op: string]: Case } = {
  Add: {
    nodes: [nodeOf("Add", "y", ["x", "constant"])],
    constants: { constant: noise([1, 4, 1, 1], 3) },
    runs: ["QLinearAdd"],
  },
  AveragePool: {
    nodes: [nodeOf("AveragePool", "y", ["x"], { kernel_shape: ints([2, 2]) })],
    runs: ["QLinearAveragePool"],
  },
  Clip: {
    nodes: [nodeOf("Clip", "y", ["x", "low", "high"])],
    constants: { low: scalar(0), high: scalar(6) },
    runs: [],
  },
  Concat: {
    nodes: [
      nodeOf("Concat", "z", ["x", "x"], { axis: int(2) }),
      nodeOf("MaxPool", "y", ["z"], { kernel_shape: ints([2, 2]) }),
    ],
    runs: ["MaxPool", "QLinearConcat"],
  },
  Conv: {
    nodes: [nodeOf("Conv", "y", ["x", "kernel"], { group: int(4) })],
    constants: { kernel: noise([4, 1, 3, 3], 4) },
    runs: ["QLinearConv"],
  },
  Flatten: {
    nodes: [nodeOf("Flatten", "z", ["x"]), nodeOf("Reshape", "y", ["z", "shape"])],
    constants: { shape: intTensor([0, 4, 6, 6]) },
    runs: ["Flatten", "Reshape"],
  },
  Gemm: {
    nodes: [nodeOf("Flatten", "z", ["x"]), nodeOf("Gemm", "g", ["z", "w"]), nodeOf("Reshape", "y", ["g", "shape"])],
    constants: { w: noise([144, 16], 5, 0.2), shape: intTensor([0, 4, 2, 2]) },
    runs: ["Flatten", "QGemm", "Reshape"],
  },
  GlobalAveragePool: { nodes: [nodeOf("GlobalAveragePool", "y", ["x"])], runs: ["QLinearGlobalAveragePool"] },
  LeakyRelu: { nodes: [nodeOf("LeakyRelu", "y", ["x"], { alpha: float(0.2) })], runs: ["QLinearLeakyRelu"] },
  MatMul: { nodes: [nodeOf("MatMul", "y", ["x", "w"])], constants: { w: noise([6, 5], 6) }, runs: ["QLinearMatMul"] },
  MaxPool: moved("MaxPool", { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }),
  Mul: {
    nodes: [nodeOf("GlobalAveragePool", "m", ["x"]), nodeOf("Sigmoid", "s", ["m"]), nodeOf("Mul", "y", ["x", "s"])],
    runs: ["QLinearGlobalAveragePool", "QLinearMul", "QLinearSigmoid"],
  },
  Relu: { nodes: [nodeOf("Relu", "y", ["x"])], runs: [] },
  Reshape: moved("Reshape", {}, { shape: intTensor([0, 4, 4, 9]) }),
  Resize: moved(
    "Resize",
    { mode: text("nearest") },
    { roi: floatTensor(new Float32Array(), [0]), scales: floatTensor(Float32Array.of(1, 1, 2, 2), [4]) },
  ),
  Sigmoid: { nodes: [nodeOf("Sigmoid", "y", ["x"])], runs: ["QLinearSigmoid"] },
  Squeeze: {
    nodes: [nodeOf("Unsqueeze", "z", ["x", "axes"]), nodeOf("Squeeze", "y", ["z", "axes"])],
    constants: { axes: intTensor([2]) },
    runs: ["Squeeze", "Unsqueeze"],
  },
  Transpose: moved("Transpose", { perm: ints([0, 1, 3, 2]) }),
  Unsqueeze: {
    nodes: [nodeOf("Unsqueeze", "z", ["x", "axes"]), nodeOf("Squeeze", "y", ["z", "axes"])],
    constants: { axes: intTensor([3]) },
    runs: ["Squeeze", "Unsqueeze"],
  },
};

test("the policy has a case for each of its ops", () => {
  expect(Object.keys(CASES)).toEqual(Object.keys(POLICY));
});

describe.each(Object.entries(CASES))("%s", (_op, { nodes, constants = {}, runs }) => {
  const graph = graphOf(
    ["batch", 3, 6, 6],
    [nodeOf("Conv", "x", ["input", "w1", "b1"]), ...nodes, nodeOf("Conv", "logits", ["y", "w2", "b2"])],
    { w1: noise([4, 3, 1, 1], 1), b1: noise([4], 2), w2: noise([2, 4, 1, 1], 3), b2: noise([2], 4), ...constants },
  );
  const samples = [1, 2].map((seed): Feeds => ({ input: noise([2, 3, 6, 6], seed) }));

  test("runs in integers, close to the float model", async () => {
    const quantized = await quantize(graph, {}, { run: nodeRunner, samples: () => samples });
    const ops = await optimizedOps(encodeModel(quantized.graph, METADATA));
    expect(ops.toSorted()).toEqual(
      ["DequantizeLinear", ...runs, "QLinearConv", "QLinearConv", "QuantizeLinear"].toSorted(),
    );
    expect(await signalToNoise(graph, quantized.graph, samples)).toBeGreaterThan(25);
  });
});
