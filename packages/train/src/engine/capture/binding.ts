/** What is used of tfjs-node's inside: its native binding and the table of its tensors. tfjs-node types neither for others. */
import * as tf from "@tensorflow/tfjs-core";

/** Values that JavaScript hands over. */
export type HostValues = Float32Array | Int32Array | Uint8Array | readonly string[];

/** An attribute of an op, as tfjs-node writes it; `type` is one of the binding's `TF_ATTR_*`. */
export interface OpAttr {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

/** What the binding says of a tensor that it made; `id` is never used again. */
export interface TensorMetadata {
  readonly id: number;
  readonly dtype: number;
  readonly shape: number[];
}

/** The native addon. */
export interface Binding {
  createTensor(shape: number[], dtype: number, values: HostValues): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): Float32Array | Int32Array | Uint8Array;
  executeOp(name: string, attrs: readonly OpAttr[], inputs: readonly number[], outputs: number): TensorMetadata[];
  loadSavedModel(directory: string, tags: string): number;
  deleteSavedModel(session: number): void;
  runSavedModel(session: number, inputs: readonly number[], inputNames: string, outputNames: string): TensorMetadata[];
  readonly TF_Version: string;
  readonly TF_ATTR_STRING: number;
  readonly TF_ATTR_INT: number;
  readonly TF_ATTR_FLOAT: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_SHAPE: number;
}

/** Where tfjs-node keeps a tensor: `id` is the native one, made from `values` at its first use. */
export interface TensorRecord {
  id: number;
  readonly values: HostValues | null;
}

/** tfjs-node's backend. */
export interface TensorflowBackend {
  binding: Binding;
  readonly tensorMap: { get(dataId: object): TensorRecord; has(dataId: object): boolean };
  getInputTensorIds(tensors: readonly tf.TensorInfo[]): number[];
  readSync(dataId: object): unknown;
  incRef(dataId: object): void;
  refCount(dataId: object): number;
  createOutputTensor(metadata: TensorMetadata): tf.Tensor;
  executeSingleOutput(name: string, attrs: readonly OpAttr[], inputs: readonly tf.TensorInfo[]): tf.Tensor;
  executeMultipleOutputs(
    name: string,
    attrs: readonly OpAttr[],
    inputs: readonly tf.TensorInfo[],
    outputs: number,
  ): tf.Tensor[];
}

/** The backend of this process where that is tfjs-node's. */
export function tensorflowBackend(): TensorflowBackend | undefined {
  return tf.getBackend() === "tensorflow" ? (tf.backend() as unknown as TensorflowBackend) : undefined;
}

/** TensorFlow's numbers for the types that a captured value can have. */
export const DTYPES = { float32: 1, int32: 3, bool: 10 } as const;
