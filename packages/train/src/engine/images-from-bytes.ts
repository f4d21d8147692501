/**
 * Images as their bytes, four to an int32, which an engine normalises itself: a quarter of what a step would have to be fed as floats,
 * and nothing that JavaScript computes pixel by pixel.
 */
import { type Normalization, normalizationOf, type PreprocessSpec } from "@distillate/bundle";
import * as tf from "@tensorflow/tfjs-core";

/** The kernel of an engine that reads bytes: input `words` (int32 `[size, words an image]`), attributes as of {@link BytesToImages}. */
export const IMAGES_FROM_BYTES = "ImagesFromBytes";

/** What the kernel is told. */
export interface BytesToImages extends Normalization {
  /** Height, width, channels. */
  readonly shape: readonly number[];
}

/** Whether the engine of this process can read bytes. */
export function takesBytes(): boolean {
  return tf.getKernel(IMAGES_FROM_BYTES, tf.getBackend()) !== undefined;
}

/** A batch of bytes as a tensor; no byte is copied in JavaScript. */
export function wordsOf(bytes: Uint8Array, size: number): tf.Tensor2D {
  const words = bytes.length / 4 / size;
  return tf.tensor2d(new Int32Array(bytes.buffer, bytes.byteOffset, size * words), [size, words], "int32");
}

/**
 * What a network is given, channels last whatever the layout of the preprocessing, `[size, height, width, channels]`: bytes times
 * `scale`, minus `mean`, by `std`, channel by channel. TensorFlow's last bit may differ from the preprocessing's own,
 * which computes in double precision as the wasm engine does.
 */
export function imagesFromBytes(words: tf.Tensor2D, preprocess: PreprocessSpec): tf.Tensor4D {
  const { height, width, channels } = preprocess;
  const { factor, shift } = normalizationOf(preprocess);
  const told = { shape: [height, width, channels], factor: [...factor], shift: [...shift] };
  return tf.engine().runKernel(IMAGES_FROM_BYTES, { words }, told) as tf.Tensor4D;
}
