/** Results of the wasm engine's kernels beside those of tfjs' cpu backend. */
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";

/** Normal noise of a seed, which is not 0. */
export const noise = (shape: number[], seed: number): tf.Tensor => tf.randomNormal(shape, 0, 1, "float32", seed);

/** A loss whose gradient is not the same everywhere. */
export const square = (tensor: tf.Tensor): tf.Scalar => tf.sum(tf.square(tensor));

/** Largest difference of each result between the wasm and the cpu backend, relative to that result's largest value. */
export async function worstDifference(compute: () => tf.Tensor[]): Promise<number> {
  const results: Float32Array[][] = [];
  for (const backend of ["cpu", "wasm"]) {
    await tf.setBackend(backend);
    results.push(tf.tidy(() => compute().map((tensor) => tensor.dataSync<"float32">().slice())));
  }
  const [expected, found] = results as [Float32Array[], Float32Array[]];
  return Math.max(
    ...expected.map((values, i) => {
      const size = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
      return values.reduce((most, value, k) => Math.max(most, Math.abs(value - found[i]![k]!) / size), 0);
    }),
  );
}
