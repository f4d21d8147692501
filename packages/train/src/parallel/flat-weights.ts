/** Weights of a model as one array of floats, one after the other. */
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import type { LayersModel } from "@tensorflow/tfjs-layers";

type Weights = LayersModel["weights"];

/** How many floats weights have. */
export function sizeOf(weights: Weights): number {
  return weights.reduce((sum, { shape }) => sum + tf.util.sizeFromShape(shape as number[]), 0);
}

/** Views of an array, one for each weight. */
function splitBy(weights: Weights, values: Float32Array): readonly Float32Array[] {
  let at = 0;
  return weights.map(({ shape }) => {
    const size = tf.util.sizeFromShape(shape as number[]);
    at += size;
    return values.subarray(at - size, at);
  });
}

/** Views of an optimiser's slots, each an array of all weights: weight by weight, slot by slot. */
export function splitSlots(weights: Weights, slots: readonly Float32Array[]): readonly Float32Array[] {
  const parts = slots.map((slot) => splitBy(weights, slot));
  return weights.flatMap((_weight, i) => parts.map((slot) => slot[i]!));
}

/** A tensor's values as they lie in the wasm engine's memory: to be copied before anything else runs. */
function valuesOf(tensor: tf.Tensor): Float32Array {
  return (tf.backend() as BackendWasm).typedArrayFromHeap(tensor) as Float32Array;
}

/** A tensor of some values, made with less ado than tfjs makes one. */
function tensorOf(values: Float32Array, shape: readonly number[]): tf.Tensor {
  const backend = tf.backend() as BackendWasm;
  const info = backend.makeOutput([...shape], "float32");
  backend.typedArrayFromHeap(info).set(values);
  return tf.engine().makeTensorFromTensorInfo(info);
}

/** Copies tensors into an array, one after the other. */
export function readTensors(tensors: readonly tf.Tensor[], values: Float32Array): void {
  let at = 0;
  for (const tensor of tensors) {
    values.set(valuesOf(tensor), at);
    at += tensor.size;
  }
}

/** Copies weights into an array. */
export function readWeights(weights: Weights, values: Float32Array): void {
  readTensors(
    weights.map((weight) => weight.read()),
    values,
  );
}

/** Gives weights the values of an array. */
export function writeWeights(weights: Weights, values: Float32Array): void {
  const parts = splitBy(weights, values);
  for (const [i, weight] of weights.entries()) {
    // A new tensor: the backend keeps packed copies of filters until the tensor that they are of is gone.
    const value = tensorOf(parts[i]!, weight.shape as number[]);
    // Not by its layer, whose constraint, which no update heeds, would tell it from what all share.
    (weight.read() as tf.Variable).assign(value);
    value.dispose();
  }
}

/** Weights that no gradient reaches, which a network may change itself while it learns. */
export function ownWeights(model: Pick<LayersModel, "nonTrainableWeights">): Weights {
  return model.nonTrainableWeights;
}
