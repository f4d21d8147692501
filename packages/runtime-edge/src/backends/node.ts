/** onnxruntime-node: native code, where it is installed. */
import type { Backend, Onnxruntime } from "./backend.ts";

export const node: Backend = {
  name: "node",
  provider: "cpu",
  importRuntime: async () => (await import("onnxruntime-node")) as unknown as Onnxruntime,
};
