import { expect, test } from "vitest";
import { foldProfile, type ProfileEvent } from "./profile.ts";

const kernel = (name: string, op: string, dur: number): ProfileEvent => ({
  cat: "Node",
  name: `${name}_kernel_time`,
  dur,
  args: { op_name: op },
});
const run = (conv: number): readonly ProfileEvent[] => [
  kernel("conv1/relu_nchwc", "Conv", conv),
  kernel("ReorderOutput", "ReorderOutput", 10),
  kernel("ReorderOutput_token_5", "ReorderOutput", 10),
  kernel("conv1_token_2", "QLinearConv", 100),
  kernel("logits/kernel", "DequantizeLinear", 30),
  { cat: "Session", name: "model_run", dur: 999 },
];

test("kernels are folded by layer, warm-up left out, onnxruntime's own work apart", () => {
  expect(foldProfile([...run(9000), ...run(200), ...run(400)], 1)).toEqual({
    runs: 2,
    layers: [
      { layer: "conv1", ops: ["Conv", "QLinearConv"], milliseconds: 0.4 },
      { layer: "(added by onnxruntime)", ops: ["ReorderOutput"], milliseconds: 0.02 },
      { layer: "logits", ops: ["DequantizeLinear"], milliseconds: 0.03 },
    ],
  });
});
