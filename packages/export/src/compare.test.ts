import { expect, test } from "vitest";
import { compareModels } from "./compare.ts";
import type { Feeds, Graph, Node } from "./graph.ts";
import { inferShapes } from "./infer.ts";
import { nodeRunner as run } from "./node-runner.test.helper.ts";
import { quantize } from "./quantize/quantize.ts";
import { floatTensor } from "./tensor.ts";

/** y = relu(x A) B, the input's name as told. */
function products(a: readonly number[], input = "x"): Graph {
  const node = (op: string, name: string, inputs: string[]): Node => ({
    op,
    domain: "",
    name,
    inputs,
    outputs: [name],
    attrs: {},
  });
  return inferShapes({
    name: "products",
    opset: 17,
    inputs: [{ name: input, dtype: "float32", shape: ["batch", 2] }],
    outputs: [{ name: "y", dtype: "float32", shape: ["batch", 2] }],
    nodes: [node("Gemm", "hidden", [input, "A"]), node("Relu", "relu", ["hidden"]), node("Gemm", "y", ["relu", "B"])],
    constants: new Map([
      ["A", floatTensor(Float32Array.from(a), [2, 2])],
      ["B", floatTensor(Float32Array.of(1, 0, 0, 1), [2, 2])],
    ]),
    values: new Map(),
  });
}

const samples = (): Feeds[] => [
  { x: floatTensor(Float32Array.of(1, 2, 3, 1), [2, 2]) },
  { x: floatTensor(Float32Array.of(0, 1), [1, 2]) },
];

test("numbers by hand, tensor by tensor, the second model's input under another name", async () => {
  const {
    tensors,
    outputs,
    samples: count,
    agreement,
  } = await compareModels(products([1, 0, 0, 1]), products([1, 0, 0, 2], "image"), { run, samples });
  // a = x, b = x with its second column doubled; all positive, so that every tensor is like the first.
  const [signal, noise] = [1 + 4 + 9 + 1 + 0 + 1, 4 + 1 + 1];
  const [dot, other] = [1 + 8 + 9 + 2 + 2, 1 + 16 + 9 + 4 + 4];
  for (const one of [...tensors, ...outputs]) {
    expect(one.sqnr).toBeCloseTo(10 * Math.log10(signal / noise), 5);
    expect(one.cosine).toBeCloseTo(dot / Math.sqrt(signal * other), 5);
    expect(one.largestDifference).toBe(2);
  }
  expect(tensors.map(({ tensor, op }) => [tensor, op])).toEqual([
    ["hidden", "Gemm"],
    ["relu", "Relu"],
  ]);
  expect([count, agreement]).toEqual([3, 1]);
});

test("a model equals itself; a quantised one is seen as its readers see it", async () => {
  const graph = products([0.3, -0.7, 0.2, 0.9]);
  const same = await compareModels(graph, graph, { run, samples });
  expect(same.outputs[0]).toMatchObject({ sqnr: Number.POSITIVE_INFINITY, cosine: expect.closeTo(1, 6) });
  const { graph: integer } = await quantize(graph, {}, { run, samples });
  const { tensors } = await compareModels(graph, integer, { run, samples });
  const relu = tensors.find(({ tensor }) => tensor === "relu")!;
  expect(relu.sqnr).toBeGreaterThan(30);
  expect(relu.sqnr).toBeLessThan(80);
  const few = await compareModels(graph, integer, { run, samples }, { outputsOnly: true });
  expect(few.tensors).toEqual([]);
});

test("models that do not take the same, and no samples, are named", async () => {
  const graph = products([1, 0, 0, 1]);
  const wide = { ...graph, inputs: [{ ...graph.inputs[0]!, shape: ["batch", 3] }] };
  await expect(compareModels(graph, wide, { run, samples })).rejects.toMatchObject({ code: "models-differ" });
  await expect(compareModels(graph, graph, { run, samples: () => [] })).rejects.toMatchObject({
    code: "calibration-empty",
  });
});
