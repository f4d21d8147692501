import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import type { TensorInfo } from "@tensorflow/tfjs-core";

/** What the convolution loops end with: a bias for each channel, zeros without one, and the smallest result. */
export function channelEnds(
  backend: BackendWasm,
  channels: number,
  bias: TensorInfo | undefined,
  floor = Number.NEGATIVE_INFINITY,
): TensorInfo {
  const ends = backend.makeOutput([channels + 1], "float32");
  const values = backend.typedArrayFromHeap(ends) as Float32Array;
  if (bias) values.set(backend.typedArrayFromHeap(bias));
  else values.fill(0);
  values[channels] = floor;
  return ends;
}
