import { InferenceSession, Tensor } from "onnxruntime-node";
import type { Runner } from "./graph.ts";
import { floatsOf, floatTensor } from "./tensor.ts";

/** Runs models of float inputs and outputs in onnxruntime-node, for tests. */
export const nodeRunner: Runner = async (onnx, options) => {
  const session = await InferenceSession.create(onnx, {
    graphOptimizationLevel: options?.optimization ?? "all",
    logSeverityLevel: 3,
  });
  return {
    async run(feeds) {
      const inputs = Object.entries(feeds).map(
        ([name, t]) => [name, new Tensor("float32", floatsOf(t), t.shape)] as const,
      );
      const results = await session.run(Object.fromEntries(inputs));
      return Object.fromEntries(
        Object.entries(results).map(([name, t]) => [name, floatTensor(t.data as Float32Array, t.dims)]),
      );
    },
    dispose: () => session.release(),
  };
};
