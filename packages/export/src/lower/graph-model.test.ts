/** What is wrong with a GraphModel is said by name and in bounded time; what is right keeps its names. */
import { isDistillateError } from "@distillate/bundle";
import fc from "fast-check";
import { expect, test } from "vitest";
import { exportModel } from "../export.ts";
import type { ModelArtifacts } from "./artifacts.ts";

interface NodeJson {
  readonly name: string;
  readonly op: string;
  readonly input?: readonly string[];
  readonly attr?: object;
}

const float = { type: "DT_FLOAT" };
const sized = (...sizes: number[]): object => ({
  dtype: float,
  shape: { shape: { dim: sizes.map((size) => ({ size: String(size) })) } },
});
const input: NodeJson = { name: "x", op: "Placeholder", attr: sized(-1, 2) };
const kernel: NodeJson = { name: "kernel", op: "Const" };
const product: NodeJson = { name: "y", op: "MatMul", input: ["x", "kernel", "^x"] };

function artifacts(nodes: readonly NodeJson[], more: Partial<ModelArtifacts> = {}): ModelArtifacts {
  return {
    modelTopology: { node: nodes },
    weightSpecs: [{ name: "kernel", shape: [2, 2], dtype: "float32" }],
    weightData: new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer),
    signature: { inputs: { "x:0": { name: "x:0" } }, outputs: { scores: { name: "y:0" } } },
    ...more,
  };
}

const whole = artifacts([input, kernel, product]);
const relu = (name: string, from: string): NodeJson => ({ name, op: "Relu", input: [from] });

const CASES: { readonly [what: string]: readonly [ModelArtifacts, RegExp] } = {
  "no nodes": [artifacts([]), /what its inputs and outputs are/],
  "a node without an op": [artifacts([{ name: "x" } as NodeJson]), /a node without name or op/],
  "two nodes of one name": [artifacts([input, input]), /two nodes x/],
  "no inputs": [artifacts([kernel, relu("y", "kernel")], { signature: {} }), /what its inputs and outputs are/],
  "an edge from nowhere": [artifacts([input, relu("y", "z")]), /node y reads z, which is not there/],
  "an output that its node lacks": [artifacts([input, relu("a", "x:3"), relu("y", "a")]), /nothing makes x:3/],
  "a cycle": [artifacts([input, relu("a", "y"), relu("y", "a")]), /node (a|y) reads (a|y), which reads it in turn/],
  "an output that is not there": [
    artifacts([input], { signature: { outputs: { y: { name: "z:0" } } } }),
    /output y reads z, which is not there/,
  ],
  "an op without its inputs": [
    artifacts([input, { name: "y", op: "MatMul", input: ["x"] }]),
    /y \(MatMul\) is not as the converter/,
  ],
  "text that is no base64": [
    artifacts([input, { name: "y", op: "MaxPool", input: ["x"], attr: { padding: { s: "%" } } }]),
    /is not as the converter writes it/,
  ],
  "more numbers than a device has": [
    artifacts([
      { ...input, attr: sized(-1, 2e9) },
      { name: "y", op: "Unpack", input: ["x"], attr: { axis: { i: 1 } } },
    ]),
    /y \(Unpack\).*2000000000 parts/,
  ],
  "an unknown op": [artifacts([input, { name: "y", op: "Quantum", input: ["x"] }]), /y \(Quantum\).*not in the table/],
  "a loop": [
    artifacts([input, { name: "y", op: "StatelessWhile", input: ["x"] }]),
    /node y \(StatelessWhile\) cannot be exported: it is control flow/,
  ],
  "an input of strings": [
    artifacts([{ ...input, attr: { ...sized(-1), dtype: { type: "DT_STRING" } } }, relu("y", "x")]),
    /x \(Placeholder\).*no numbers/,
  ],
  "an input without a shape": [
    artifacts([{ ...input, attr: { dtype: float } }, relu("y", "x")]),
    /x \(Placeholder\).*has no shape/,
  ],
  "an input that the signature leaves out": [
    artifacts([input, { ...input, name: "z" }, { name: "y", op: "Add", input: ["x", "z"] }]),
    /leaves out the input z/,
  ],
  "a missing weight": [
    artifacts([input, kernel, product], { weightSpecs: [], weightData: new Uint8Array() }),
    /node kernel has no weights/,
  ],
  "a missing shard": [
    artifacts([input, kernel, product], { weightData: new Uint8Array(8) }),
    /end at 8 bytes, within kernel/,
  ],
  "too many bytes": [artifacts([input, kernel, product], { weightData: new Uint8Array(17) }), /17 bytes, expected 16/],
  "sizes that do not fit": [artifacts([{ ...input, attr: sized(-1, 3) }, kernel, product]), /Gemm y has|y.*expected/],
  "a shape that a run computes": [
    artifacts([
      input,
      { name: "n", op: "Cast", input: ["x"], attr: { DstT: { type: "DT_INT32" } } },
      { name: "y", op: "Reshape", input: ["x", "n"] },
    ]),
    /y \(Reshape\).*its shape is computed when the model runs/,
  ],
};

test.each(Object.keys(CASES))("%s", (what) => {
  const [model, message] = CASES[what]!;
  let found: unknown;
  try {
    exportModel(model, { name: "m" });
  } catch (error) {
    found = error;
  }
  expect(isDistillateError(found), String(found)).toBe(true);
  expect((found as Error).message).toMatch(message);
});

test("whatever stands where something else should be is a DistillateError", () => {
  const junk = fc.oneof(
    fc.constantFrom(null, true, -1, 1e12, "", "x:9", "%", [], {}, [null], { dim: 3 }, { list: null }, { name: 7 }),
    fc.jsonValue({ maxDepth: 2 }),
  );
  const conv = { strides: { list: { i: [1, 1, 1, 1] } }, padding: { s: btoa("SAME") } };
  const model = {
    modelTopology: {
      node: [
        { name: "x", op: "Placeholder", attr: sized(-1, 4, 4, 2) },
        { name: "kernel", op: "Const", attr: {} },
        { name: "conv", op: "Conv2D", input: ["x", "kernel"], attr: conv },
        { name: "axes", op: "Const", attr: {} },
        { name: "y", op: "Mean", input: ["conv", "axes"], attr: { keep_dims: { b: false } } },
      ],
    },
    weightSpecs: [
      { name: "kernel", shape: [1, 1, 2, 2], dtype: "float32" },
      { name: "axes", shape: [2], dtype: "int32" },
    ],
    signature: { inputs: { "x:0": { name: "x:0" } }, outputs: { scores: { name: "y:0" } } },
  };
  const weightData = new Uint8Array([...new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer), 1, 0, 0, 0, 2, 0, 0, 0]);
  expect(exportModel({ ...model, weightData }, { name: "m" }).report.ops).toEqual({
    Conv: 1,
    GlobalAveragePool: 1,
    Flatten: 1,
  });
  const places: (readonly (string | number)[])[] = [];
  const walk = (value: unknown, path: readonly (string | number)[]): void => {
    if (path.length > 1 || path[0] === "signature") places.push(path);
    if (typeof value === "object" && value !== null)
      for (const [key, inner] of Object.entries(value))
        walk(inner, [...path, Array.isArray(value) ? Number(key) : key]);
  };
  walk(model, []);
  fc.assert(
    fc.property(fc.constantFrom(...places), junk, (path, value) => {
      const broken = structuredClone(model) as { [key: string]: unknown };
      const parent = path.slice(0, -1).reduce((at, key) => at[key] as { [key: string]: unknown }, broken);
      parent[path.at(-1)!] = value;
      try {
        exportModel({ ...broken, weightData } as unknown as ModelArtifacts, { name: "m" });
      } catch (error) {
        expect(isDistillateError(error), String((error as Error).stack)).toBe(true);
      }
    }),
    { seed: 5, numRuns: 3000 },
  );
});

test("names are the signature's, the batch stays open or is fixed, equal models give equal bytes", () => {
  const { graph, onnx, report } = exportModel(whole, { name: "m" });
  expect(graph.inputs).toEqual([{ name: "x", dtype: "float32", shape: ["batch", 2] }]);
  expect(graph.outputs).toEqual([{ name: "scores", dtype: "float32", shape: ["batch", 2] }]);
  expect(report).toMatchObject({ ops: { Gemm: 1 }, images: [] });
  expect(exportModel(whole, { name: "m" }).onnx).toEqual(onnx);
  expect(exportModel(whole, { name: "m", batch: 4 }).graph.outputs[0]!.shape).toEqual([4, 2]);
});

test("without a signature inputs and outputs are found; one node may be two outputs, or an input as well", () => {
  const { graph } = exportModel(artifacts([input, relu("y", "x")], { signature: {} }), { name: "m" });
  expect([graph.inputs[0]!.name, graph.outputs[0]!.name]).toEqual(["x", "y"]);
  const outputs = { first: { name: "y" }, second: { name: "y:0" }, third: { name: "x" } };
  const twice = artifacts([input, relu("y", "x")], { signature: { outputs } });
  const exported = exportModel(twice, { name: "m" });
  expect(exported.graph.outputs.map(({ name }) => name)).toEqual(["first", "second", "third"]);
  expect(exported.report.ops).toEqual({ Relu: 1, Identity: 2 });
});

test("weights come in one piece or in several, as bytes or as buffers", () => {
  const { onnx } = exportModel(whole, { name: "m" });
  const bytes = whole.weightData as Uint8Array;
  const parts = [bytes.slice(0, 6).buffer, bytes.slice(6).buffer];
  expect(exportModel({ ...whole, weightData: parts }, { name: "m" }).onnx).toEqual(onnx);
  expect(exportModel({ ...whole, weightData: bytes.slice().buffer }, { name: "m" }).onnx).toEqual(onnx);
});

test("a hundred thousand nodes, last node first", () => {
  const count = 100_000;
  const step = (name: string, from: string): NodeJson => ({ ...relu(name, from), op: "Sigmoid" });
  const nodes = Array.from({ length: count }, (_, i) =>
    step(i === count - 1 ? "y" : `r${i}`, i === 0 ? "x" : `r${i - 1}`),
  );
  const { graph } = exportModel(
    artifacts([...nodes.reverse(), input], { weightSpecs: [], weightData: new Uint8Array() }),
    {
      name: "deep",
    },
  );
  expect(graph.nodes.length).toBe(count);
});
