import { InferenceSession, Tensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { int } from "../attr.ts";
import type { Graph } from "../graph.ts";
import { inferShapes } from "../infer.ts";
import { encodeModel } from "../onnx/encode.ts";
import { verify } from "../spec.ts";
import { floatTensor } from "../tensor.ts";
import { castFloat16 } from "./cast-float16.ts";

/** y = (x A) B; B reaches what it is told. As from layers, the last node has its output's name. */
function twoProducts(largest: number): Graph {
  const output = { name: "y", dtype: "float32", shape: ["batch", 2] } as const;
  return inferShapes({
    name: "two",
    opset: 17,
    inputs: [{ name: "x", dtype: "float32", shape: ["batch", 2] }],
    outputs: [output],
    nodes: [
      { op: "Gemm", domain: "", name: "a", inputs: ["x", "A"], outputs: ["h"], attrs: { transB: int(1) } },
      { op: "Gemm", domain: "", name: "y", inputs: ["h", "B"], outputs: ["y"], attrs: { transB: int(1) } },
    ],
    constants: new Map([
      ["A", floatTensor(Float32Array.of(0.1, -2, 6e-8, 1 / 3), [2, 2])],
      ["B", floatTensor(Float32Array.of(1, 0.25, largest, -1), [2, 2])],
    ]),
    values: new Map(),
  });
}

async function run(graph: Graph): Promise<readonly number[]> {
  const onnx = encodeModel(graph, { producer: "test", producerVersion: "0" });
  const session = await InferenceSession.create(onnx, { logSeverityLevel: 3 });
  const { y } = await session.run({ x: new Tensor("float32", [1, 2, -3, 0.5], [2, 2]) });
  await session.release();
  return [...(y!.data as Float32Array)];
}

test.each([3, 1e6])("computes what the float graph does, weights to %d", async (largest) => {
  const graph = twoProducts(largest);
  const { graph: half, kept } = castFloat16(graph);
  verify(half);
  const [expected, found] = [await run(graph), await run(half)];
  for (const [i, value] of expected.entries())
    expect(Math.abs(found[i]! - value)).toBeLessThanOrEqual(2e-3 * Math.max(1, Math.abs(value)));
  expect(kept).toEqual(largest > 65504 ? [{ node: "y", reason: "B reaches 1000000, float16 ends at 65504" }] : []);
  expect(half.constants.get("A")!.dtype).toBe("float16");
  expect(castFloat16(half).graph).toBe(half);
});

test("rounds as hardware does: ties to even, subnormal, largest", () => {
  const values = [0, -0, 1, 65504, 65503, 2 ** -24, 2 ** -25, 1 + 2 ** -11, 1 + 3 * 2 ** -11, -2];
  const graph = inferShapes({
    ...twoProducts(1),
    inputs: [{ name: "x", dtype: "float32", shape: ["batch", values.length] }],
    outputs: [{ name: "y", dtype: "float32", shape: ["batch", values.length] }],
    nodes: [{ op: "Add", domain: "", name: "sum", inputs: ["x", "v"], outputs: ["y"], attrs: {} }],
    constants: new Map([["v", floatTensor(Float32Array.from(values), [values.length])]]),
    values: new Map(),
  });
  const { bytes } = castFloat16(graph).graph.constants.get("v")!;
  const words = new Uint16Array(bytes.buffer, bytes.byteOffset, values.length);
  expect([...words].map((word) => word.toString(16))).toEqual([
    "0",
    "8000",
    "3c00",
    "7bff",
    "7bff",
    "1",
    "0",
    "3c00",
    "3c02",
    "c000",
  ]);
});
