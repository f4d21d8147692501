import { type Graph, inferShapes, type Node, type Tensor } from "@distillate/export";

/** Values of a wave: the same every time. */
export const noise = (shape: readonly number[], seed: number): Tensor => {
  const length = shape.reduce((a, b) => a * b, 1);
  const values = Float32Array.from({ length }, (_, i) => 0.2 * Math.sin(seed + i * 12.9898));
  return { dtype: "float32", shape, bytes: new Uint8Array(values.buffer) };
};

/** flatten - gemm - relu - gemm */
export const tiny: Graph = inferShapes({
  name: "tiny",
  opset: 17,
  inputs: [{ name: "input", dtype: "float32", shape: ["batch", 1, 8, 8] }],
  outputs: [{ name: "logits", dtype: "float32", shape: ["batch", 10] }],
  nodes: (
    [
      ["Flatten", "flat", ["input"]],
      ["Gemm", "hidden", ["flat", "w1"]],
      ["Relu", "relu", ["hidden"]],
      ["Gemm", "logits", ["relu", "w2"]],
    ] as const
  ).map(([op, name, inputs]): Node => ({ op, domain: "", name, inputs, outputs: [name], attrs: {} })),
  constants: new Map([
    ["w1", noise([64, 32], 1)],
    ["w2", noise([32, 10], 2)],
  ]),
  values: new Map(),
});
