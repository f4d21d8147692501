import { DistillateError } from "@distillate/bundle";
import fc from "fast-check";
import { onnx as schema } from "onnx-proto";
import { describe, expect, test } from "vitest";
import type { Graph, Node, Tensor } from "../graph.ts";
import { inferShapes } from "../infer.ts";
import { summarize } from "../inspect.ts";
import { printGraph } from "../print.ts";
import { floatsOf, floatTensor } from "../tensor.ts";
import { decodeModel } from "./decode.ts";
import { encodeModel } from "./encode.ts";

const node = (op: string, name: string, inputs: readonly string[], attrs: Node["attrs"] = {}): Node => ({
  op,
  domain: "",
  name,
  inputs,
  outputs: [name],
  attrs,
});
const random = (shape: readonly number[]): Tensor =>
  floatTensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i)),
    shape,
  );

/** A small classifier: 3 x 9 x 8 to four numbers. */
const GRAPH: Graph = inferShapes({
  name: "small",
  opset: 17,
  inputs: [{ name: "input", dtype: "float32", shape: ["batch", 3, 9, 8] }],
  outputs: [{ name: "logits", dtype: "float32", shape: ["batch", 4] }],
  nodes: [
    node("Conv", "conv", ["input", "w", "b"], {
      strides: { kind: "ints", value: [2, 1] },
      pads: { kind: "ints", value: [1, 0, 0, 1] },
      group: { kind: "int", value: 1 },
    }),
    node("Relu", "relu", ["conv"]),
    node("MaxPool", "pool", ["relu"], { kernel_shape: { kind: "ints", value: [2, 2] } }),
    node("Flatten", "flat", ["pool"], { axis: { kind: "int", value: 1 } }),
    node("Gemm", "logits", ["flat", "m"], { transB: { kind: "int", value: 1 }, alpha: { kind: "float", value: 0.5 } }),
  ],
  constants: new Map([
    ["w", random([5, 3, 3, 3])],
    ["b", random([5])],
    ["m", random([4, 5 * 3 * 6])],
  ]),
  values: new Map(),
});
const METADATA = { producer: "test", producerVersion: "1", properties: { labels: '["a"]', ü: "é" } };
const BYTES = encodeModel(GRAPH, METADATA);

test("what is written is read back, and written again as the same bytes", () => {
  const { graph, metadata } = decodeModel(BYTES);
  expect(graph).toEqual(GRAPH);
  expect(metadata).toEqual(METADATA);
  expect(encodeModel(graph, metadata)).toEqual(BYTES);
});

test("constants are read from any offset, out of Node's Buffer too, whose slice is no copy", () => {
  for (let offset = 0; offset < 4; offset++) {
    const buffer = Buffer.concat([Buffer.alloc(offset), BYTES]).subarray(offset);
    const { graph } = decodeModel(buffer);
    for (const [name, tensor] of GRAPH.constants)
      expect(floatsOf(graph.constants.get(name)!)).toEqual(floatsOf(tensor));
  }
});

test("another tool's file: nameless nodes, a Constant node, numbers one by one, constants among the inputs, no types", () => {
  const value = (name: string, dims: readonly number[]): object => ({
    name,
    type: { tensorType: { elemType: 1, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } },
  });
  const bytes = schema.ModelProto.encode(
    schema.ModelProto.fromObject({
      irVersion: 3,
      opsetImport: [{ domain: "", version: 13 }],
      graph: {
        name: "foreign",
        input: [value("x", [1, 2]), value("w", [2, 2])],
        output: [value("y", [1, 2])],
        initializer: [{ name: "w", dataType: 1, dims: [2, 2], floatData: [1, 2, 3, 4] }],
        node: [
          {
            opType: "Constant",
            output: ["c"],
            attribute: [{ name: "value", type: 4, t: { dataType: 1, dims: [2], floatData: [5, 6] } }],
          },
          { opType: "Gemm", input: ["x", "w", "c"], output: ["g"] },
          { opType: "Relu", input: ["g"], output: ["y"] },
        ],
      },
    }),
  ).finish();
  const { graph } = decodeModel(bytes);
  expect(graph.inputs.map(({ name }) => name)).toEqual(["x"]);
  expect(graph.nodes.map(({ op, name }) => `${op} ${name}`)).toEqual(["Gemm Gemm_1", "Relu Relu_2"]);
  expect(graph.constants.get("c")).toEqual(floatTensor(Float32Array.of(5, 6), [2]));
  expect(graph.values.get("g")).toEqual({ name: "g", dtype: "float32", shape: [1, 2] });
});

test("an older file is read as opset 13 where all its ops mean the same", () => {
  expect(decodeModel(encodeModel({ ...GRAPH, opset: 11 }, METADATA)).graph).toEqual({ ...GRAPH, opset: 13 });
});

test("the text and the summary say what is there", () => {
  expect(printGraph(GRAPH).split("\n").slice(0, 3)).toEqual([
    "graph small (opset 17)",
    "input  input: float32[batch,3,9,8]",
    "  conv: float32[batch,5,4,7] = Conv(input, w float32[5,3,3,3], b float32[5]) {strides=[2,1], pads=[1,0,0,1], group=1}",
  ]);
  const { ops, parameters, macs, peakActivationBytes } = summarize(GRAPH);
  expect(ops).toEqual({ Conv: 1, Relu: 1, MaxPool: 1, Flatten: 1, Gemm: 1 });
  expect(parameters).toBe(135 + 5 + 360);
  expect(macs).toBe(5 * 4 * 7 * 27 + 4 * 90);
  expect(peakActivationBytes).toBe(4 * (3 * 9 * 8 + 5 * 4 * 7));
});

describe("files from anywhere", () => {
  const attempt = (bytes: Uint8Array): void => {
    try {
      decodeModel(bytes);
    } catch (error) {
      expect(error).toBeInstanceOf(DistillateError);
    }
  };

  test("every cut gives an error of ours or a smaller model, never anything else", () => {
    for (let length = 0; length < BYTES.length; length += 7) attempt(BYTES.subarray(0, length));
  });

  test("changed and random bytes do too", () => {
    const changes = fc.array(fc.tuple(fc.nat(BYTES.length - 1), fc.integer({ min: 0, max: 255 })), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(changes, (edits) => {
        const bytes = BYTES.slice();
        for (const [at, byte] of edits) bytes[at] = byte;
        attempt(bytes);
      }),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => attempt(bytes)),
      { numRuns: 1000 },
    );
  });

  test.each<[string, Partial<Graph>, string]>([
    ["an opset before the table", { opset: 6 }, "onnx-unsupported"],
    [
      "an op that meant something else",
      { opset: 12, nodes: [node("Softmax", "logits", ["input"])] },
      "onnx-unsupported",
    ],
    ["an op outside of the table", { nodes: [{ ...node("Loop", "logits", ["input"]) }] }, "op-unsupported"],
    ["weights that do not fit", { constants: new Map([...GRAPH.constants, ["m", random([4, 9])]]) }, "shape-mismatch"],
    [
      "a shape that is not so",
      { outputs: [{ name: "logits", dtype: "float32", shape: ["batch", 5] }] },
      "shape-mismatch",
    ],
    ["an edge from nowhere", { nodes: [node("Relu", "logits", ["nothing"])] }, "shape-mismatch"],
  ])("%s", (_what, change, code) => {
    const bytes = encodeModel({ ...GRAPH, values: new Map(), ...change }, METADATA);
    expect(() => decodeModel(bytes)).toThrowError(expect.objectContaining({ code }));
  });
});
