import type { Feeds, RunnableModel, Runner, Tensor } from "@distillate/export";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";

/** The runtime as reports name it. */
export const NODE_RUNTIME: string = "onnxruntime-node";

const VIEWS = {
  float32: Float32Array,
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
} as const;

/** A model that also says what its inputs are called. */
export interface NodeModel extends RunnableModel {
  readonly inputNames: readonly string[];
}

/** Runs ONNX models in onnxruntime-node on the CPU: what `export` and `quantize` are handed to calibrate and compare. */
export const nodeRunner = (async (onnx, options = {}): Promise<NodeModel> => {
  const session = await InferenceSession.create(onnx, {
    executionProviders: ["cpu"],
    graphOptimizationLevel: options.optimization ?? "all",
    logSeverityLevel: 3,
    // Threads that wait for work in a loop take the processor from what runs between two batches, and from everyone else.
    extra: { session: { intra_op: { allow_spinning: "0" } } },
  });
  return {
    inputNames: session.inputNames,
    async run(feeds: Feeds): Promise<Feeds> {
      const inputs = Object.entries(feeds).map(([name, tensor]) => [name, toOrt(tensor)] as const);
      const outputs = await session.run(Object.fromEntries(inputs));
      return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, fromOrt(tensor)]));
    },
    async dispose(): Promise<void> {
      await session.release();
    },
  };
}) satisfies Runner;

function toOrt(tensor: Tensor): OrtTensor {
  const View = VIEWS[tensor.dtype as keyof typeof VIEWS];
  // A view needs its own alignment; bytes cut out of a file may not have it.
  const bytes = tensor.bytes.byteOffset % View.BYTES_PER_ELEMENT === 0 ? tensor.bytes : new Uint8Array(tensor.bytes);
  const data = new View(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength / View.BYTES_PER_ELEMENT);
  return new OrtTensor(tensor.dtype as "float32", data as Float32Array, tensor.shape);
}

function fromOrt(tensor: OrtTensor): Tensor {
  const data = tensor.data as Float32Array;
  return {
    dtype: tensor.type as Tensor["dtype"],
    shape: tensor.dims,
    bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  };
}
