import { readFileSync } from "node:fs";
import fc from "fast-check";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import type { Graph } from "../graph.ts";
import { inferShapes } from "../infer.ts";
import { encodeModel } from "../onnx/encode.ts";
import { printGraph } from "../print.ts";
import { verify } from "../spec.ts";
import { PASSES, runPasses } from "./pipeline.ts";
import { GraphWriter, noise, randomGraphs, STEPS } from "./random-graph.test.fixture.ts";

async function run(graph: Graph): Promise<readonly Float32Array[]> {
  const onnx = encodeModel(graph, { producer: "test", producerVersion: "0" });
  const session = await InferenceSession.create(onnx, { graphOptimizationLevel: "disabled", logSeverityLevel: 3 });
  const size = graph.inputs[0]!.shape.slice(1).reduce<number>((product, length) => product * (length as number), 2);
  const shape = [2, ...(graph.inputs[0]!.shape.slice(1) as number[])];
  const found = await session.run({
    x: new Tensor(
      "float32",
      noise(size, 3).map((v) => 3 * v),
      shape,
    ),
  });
  await session.release();
  return graph.outputs.map(({ name }) => found[name]!.data as Float32Array);
}

function compare(found: readonly Float32Array[], expected: readonly Float32Array[]): void {
  expect(found.map(({ length }) => length)).toEqual(expected.map(({ length }) => length));
  for (const [i, values] of expected.entries()) {
    const size = Math.max(1, ...values.map(Math.abs));
    for (const [k, value] of values.entries()) expect(Math.abs(found[i]![k]! - value) / size).toBeLessThanOrEqual(1e-5);
  }
}

test("of random graphs: every pass and the pipeline compute the same, and a second time change nothing", async () => {
  const fired = new Set<string>();
  await fc.assert(
    fc.asyncProperty(randomGraphs(), async (graph) => {
      const expected = await run(graph);
      for (const [name, pass] of [...PASSES, ["pipeline", (g: Graph) => runPasses(g).graph] as const]) {
        const result = pass(graph);
        if (result === graph) continue;
        fired.add(name);
        verify(inferShapes(result));
        expect(inferShapes(result), `${name} leaves a value without its shape`).toBe(result);
        expect(result.outputs).toEqual(graph.outputs);
        if (name !== "pipeline") expect(pass(result), `${name} a second time`).toBe(result);
        compare(await run(result), expected);
      }
    }),
    { numRuns: 400, seed: 11 },
  );
  expect([...fired].sort()).toEqual(
    [...PASSES.map(([name]) => name).filter((name) => name !== "remove-unused"), "pipeline"].sort(),
  );
}, 120_000);

/** The graph of some steps, after one pass. */
function after(pass: string, opset: number, ...steps: readonly [name: string, seed?: number][]): string {
  const writer = new GraphWriter(opset, ["batch", 2, 3, 4]);
  let [edge, shape]: readonly [string, readonly number[]] = ["x", [2, 3, 4]];
  for (const [name, seed = 1] of steps) [edge, shape] = STEPS[name]!(writer, edge, shape, seed);
  const graph = writer.finish([edge]);
  const result = PASSES.find(([name]) => name === pass)![1](graph);
  return result === graph
    ? "as it was"
    : printGraph(result)
        .split("\n")
        .slice(2, -2)
        .map((line) => line.trim())
        .join("\n");
}

test("the page about passes names them all, in their order", () => {
  const page = readFileSync(new URL("../../../../docs/export-passes.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| ([a-z-]+) \|/gm)].map(([, name]) => name);
  expect(rows).toEqual(PASSES.map(([name]) => name));
});

describe("what each pass makes, and where it does not fire", () => {
  test("drop-no-ops", () => {
    expect(
      after("drop-no-ops", 17, ["identity"], ["dropout"], ["cast"], ["reshapedAsItWas"], ["relu"]),
    ).toMatchInlineSnapshot(`"relu_4: float32[batch,2,3,4] = Relu(x)"`);
    expect(after("drop-no-ops", 17, ["transposed"], ["relu"])).toBe("as it was");
  });
  test("fold-constants", () => {
    expect(after("fold-constants", 17, ["arithmetic"])).toMatchInlineSnapshot(
      `"mul_3: float32[batch,2,3,4] = Mul(x, sqrt_2 float32[4])"`,
    );
    expect(after("fold-constants", 17, ["reshapedByItsShape"])).toBe("as it was");
  });
  test("sink-transposes", () => {
    expect(after("sink-transposes", 17, ["wrapped"])).toMatchInlineSnapshot(`
      "softmax_1/untransposed: float32[batch,2,3,4] = Softmax(x) {axis=1}  # softmax_1
      mul_3: float32[batch,2,3,4] = Mul(softmax_1/untransposed, mul_3/1 float32[])"
    `);
    expect(after("sink-transposes", 17, ["transposed"], ["twice"])).toBe("as it was");
  });
  test("absorb-transpose", () => {
    expect(after("absorb-transpose", 17, ["transposed"], ["dense", 2])).toMatchInlineSnapshot(`
      "flatten_1/as_before: float32[batch,24] = Flatten(x) {axis=1}
      gemm_2: float32[batch,5] = Gemm(flatten_1/as_before, gemm_2/1 float32[5,24], gemm_2/2 float32[5]) {transB=1}
      batchnormalization_3: float32[batch,5] = BatchNormalization(gemm_2, batchnormalization_3/1 float32[5], batchnormalization_3/2 float32[5], batchnormalization_3/3 float32[5], batchnormalization_3/4 float32[5]) {epsilon=0.001}"
    `);
    expect(after("absorb-transpose", 17, ["transposed"], ["relu"], ["dense", 2])).toBe("as it was");
  });
  test("matmul-add-to-gemm", () => {
    expect(after("matmul-add-to-gemm", 17, ["dense", 3])).toMatchInlineSnapshot(`
      "flatten_0: float32[batch,24] = Flatten(x) {axis=1}
      add_2: float32[batch,5] = Gemm(flatten_0, matmul_1/1 float32[5,24], add_2/1 float32[5]) {transB=1}"
    `);
    expect(after("matmul-add-to-gemm", 17, ["dense", 2])).toBe("as it was");
  });
  test("fold-batch-norm", () => {
    expect(after("fold-batch-norm", 17, ["convolved", 3], ["deconvolved"], ["dense"])).toMatchInlineSnapshot(`
      "batchnormalization_1: float32[batch,4,3,4] = Conv(x, conv_0/1 float32[4,2,1,1], conv_0/bias float32[4]) {kernel_shape=[1,1]}  # conv_0
      batchnormalization_3: float32[batch,6,3,4] = ConvTranspose(batchnormalization_1, convtranspose_2/1 float32[4,3,1,1], convtranspose_2/bias float32[6]) {kernel_shape=[1,1], group=2}  # convtranspose_2
      flatten_4: float32[batch,72] = Flatten(batchnormalization_3) {axis=1}
      batchnormalization_6: float32[batch,5] = Gemm(flatten_4, gemm_5/1 float32[5,72], gemm_5/bias float32[5]) {transB=1}  # gemm_5"
    `);
    expect(after("fold-batch-norm", 17, ["convolved", 5])).toBe("as it was");
  });
  test("fold-scale-and-shift", () => {
    expect(
      after("fold-scale-and-shift", 17, ["convolvedApart"], ["convolved", 15], ["scaled", 2], ["perChannel"]),
    ).toMatchInlineSnapshot(`
      "add_2: float32[batch,3,3,4] = Conv(x, conv_0/1 float32[3,2,1,1], conv_0/bias float32[3]) {kernel_shape=[1,1]}  # conv_0
      add_6: float32[batch,4,3,4] = Conv(add_2, conv_3/1 float32[4,3,1,1], conv_3/bias float32[4]) {kernel_shape=[1,1]}  # conv_3"
    `);
    expect(after("fold-scale-and-shift", 17, ["convolved", 15], ["twice"])).toBe("as it was");
    expect(after("fold-scale-and-shift", 17, ["convolved", 15], ["arithmetic"])).toBe("as it was");
  });
  test("fold-pad", () => {
    expect(after("fold-pad", 17, ["convolved", 5], ["pooled", 2])).toMatchInlineSnapshot(`
      "conv_1: float32[batch,4,5,5] = Conv(x, conv_1/1 float32[4,2,1,1]) {kernel_shape=[1,1], pads=[1,0,1,1]}
      averagepool_3: float32[batch,4,3,3] = AveragePool(conv_1) {kernel_shape=[2,2], strides=[2,2], pads=[1,1,1,1], count_include_pad=1}"
    `);
    // Zeros are not what a MaxPool pads with.
    expect(after("fold-pad", 17, ["pooled", 1])).toBe("as it was");
  });
  test("min-max-to-clip", () => {
    expect(after("min-max-to-clip", 17, ["relu6"], ["clip"])).toMatchInlineSnapshot(
      `"clip_2: float32[batch,2,3,4] = Clip(x, clip_2/min float32[], clip_2/max_2 float32[])"`,
    );
    // max(min(x, 0), 0.5) is 0.5 everywhere.
    expect(after("min-max-to-clip", 17, ["bounds", 9])).toBe("as it was");
  });
  test("fuse-hard-swish", () => {
    expect(after("fuse-hard-swish", 17, ["hardSwish"], ["gatedBySixth"], ["hardSigmoid"])).toMatchInlineSnapshot(`
      "mul_3: float32[batch,2,3,4] = HardSwish(x)
      mul_5: float32[batch,2,3,4] = HardSwish(mul_3)
      div_8: float32[batch,2,3,4] = HardSigmoid(mul_5) {alpha=0.16666666666666666, beta=0.5}"
    `);
    expect(after("fuse-hard-swish", 13, ["gatedBySixth"])).toBe("as it was");
  });
  test("fuse-sigmoid", () => {
    expect(after("fuse-sigmoid", 17, ["sigmoid"], ["swish"])).toMatchInlineSnapshot(`
      "div_3: float32[batch,2,3,4] = Sigmoid(x)
      div_7/sigmoid: float32[batch,2,3,4] = Sigmoid(div_3)
      div_7: float32[batch,2,3,4] = Mul(div_3, div_7/sigmoid)"
    `);
    expect(after("fuse-sigmoid", 17, ["hardSigmoid"])).toBe("as it was");
  });
  test("fuse-gelu", () => {
    expect(after("fuse-gelu", 20, ["gelu"], ["geluInside"], ["geluTanh"], ["geluTanh", 2])).toMatchInlineSnapshot(`
      "mul_4: float32[batch,2,3,4] = Gelu(x) {approximate=none}
      mul_9: float32[batch,2,3,4] = Gelu(mul_4) {approximate=none}
      mul_18: float32[batch,2,3,4] = Gelu(mul_9) {approximate=tanh}
      mul_26: float32[batch,2,3,4] = Gelu(mul_18) {approximate=tanh}"
    `);
    expect(after("fuse-gelu", 17, ["gelu"])).toBe("as it was");
    expect(after("fuse-gelu", 20, ["nearlyGelu"])).toBe("as it was");
  });
  test("fuse-layer-norm", () => {
    expect(
      after("fuse-layer-norm", 17, ["layerNorm"], ["layerNorm", 2], ["layerNormAsTensorFlow"]),
    ).toMatchInlineSnapshot(`
      "add_8: float32[batch,2,3,4] = LayerNormalization(x, add_8/gamma float32[4], add_8/beta float32[4]) {axis=-1, epsilon=0.0010000000474974513}
      add_17: float32[batch,2,3,4] = LayerNormalization(add_8, add_17/gamma float32[4], add_17/beta float32[4]) {axis=-1, epsilon=0.0010000000474974513}
      add_29: float32[batch,2,3,4] = LayerNormalization(add_17, add_29/gamma float32[4], add_29/beta float32[4]) {axis=-1, epsilon=0.0010000000474974513}"
    `);
    expect(after("fuse-layer-norm", 16, ["layerNorm"])).toBe("as it was");
    expect(after("fuse-layer-norm", 17, ["centredMean"])).toBe("as it was");
  });
  test("dedupe-constants", () => {
    expect(after("dedupe-constants", 17, ["scaled", 0], ["scaled", 0])).toMatchInlineSnapshot(`
      "mul_0: float32[batch,2,3,4] = Mul(x, mul_0/1 float32[])
      add_1: float32[batch,2,3,4] = Add(mul_0, add_1/1 float32[])
      mul_2: float32[batch,2,3,4] = Mul(add_1, mul_0/1 float32[])
      add_3: float32[batch,2,3,4] = Add(mul_2, add_1/1 float32[])"
    `);
    expect(after("dedupe-constants", 17, ["scaled", 1], ["relu"])).toBe("as it was");
  });
  test("remove-unused", () => {
    const writer = new GraphWriter(17, ["batch", 4]);
    const y = writer.add("Relu", ["x"]);
    writer.add("Add", ["x", 1]);
    const whole = inferShapes({ ...writer.finish([y]), nodes: writer.nodes, constants: writer.constants });
    const rest = PASSES.find(([name]) => name === "remove-unused")![1](whole);
    expect([rest.nodes.map(({ op }) => op), rest.constants.size, rest.values.size]).toEqual([["Relu"], 0, 1]);
  });
});
