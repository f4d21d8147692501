/**
 * From the bytes of a batch's images to what a network is given: changed, normalised, mixed; any rows of it alone, too. Or changed
 * only, where the step normalises.
 */
import { normalizeImage, type PreprocessSpec } from "@distillate/bundle";
import type { AugmentConfig } from "../config.ts";
import { augmentImage, isAugmenting, type ViewKey } from "./augment.ts";
import { blend, type Mixing, partnerOf } from "./mix.ts";

/** How images become inputs. */
export interface InputRecipe {
  /** Height, width, channels. */
  readonly shape: readonly [number, number, number];
  readonly preprocess: PreprocessSpec;
  readonly augment?: AugmentConfig;
}

/** What decides the inputs of a batch. */
export interface InputKeys {
  /** Index of each sample in its set. */
  readonly indices: Uint32Array;
  readonly view?: ViewKey;
  readonly mixing?: Mixing;
}

/** Bytes from one image to the next where a batch is bytes: whole words of four, as engines take them. */
export function packedLength([height, width, channels]: InputRecipe["shape"]): number {
  return 4 * Math.ceil((height * width * channels) / 4);
}

/**
 * Writes the bytes of the images at the places `from` to `to` (exclusive) of a batch, changed as {@link fillInputs} changes them,
 * {@link packedLength} apart. Images that are mixed are no bytes.
 *
 * @param target - At least `(to - from) * packedLength(shape)` bytes.
 */
export function fillPixels(
  { shape, augment }: Pick<InputRecipe, "shape" | "augment">,
  { indices, view }: Pick<InputKeys, "indices" | "view">,
  pixelsOf: (place: number) => Uint8Array,
  [from, to]: readonly [from: number, to: number],
  target: Uint8Array,
): void {
  const length = shape[0] * shape[1] * shape[2];
  const stride = packedLength(shape);
  const isChanged = view && augment && isAugmenting(augment);
  for (let place = from; place < to; place++) {
    const start = (place - from) * stride;
    const image = target.subarray(start, start + length);
    if (isChanged) augmentImage(pixelsOf(place), image, shape, augment, { ...view, sample: indices[place]! });
    else image.set(pixelsOf(place));
  }
}

/** The floats of a batch of bytes, as {@link fillPixels} writes them. */
export function normalizePixels(
  pixels: Uint8Array,
  shape: InputRecipe["shape"],
  preprocess: PreprocessSpec,
): Float32Array {
  const length = shape[0] * shape[1] * shape[2];
  const stride = packedLength(shape);
  const size = pixels.length / stride;
  const inputs = new Float32Array(size * length);
  for (let place = 0; place < size; place++) {
    normalizeImage(pixels.subarray(place * stride), preprocess, inputs, place * length);
  }
  return inputs;
}

/**
 * Writes the inputs of the places `from` to `to` (exclusive) of a batch: the same whichever others are written with them.
 *
 * @param pixelsOf - The bytes of the image at a place of the batch.
 * @param target - At least `(to - from) * height * width * channels` floats.
 */
export function fillInputs(
  { shape, preprocess, augment }: InputRecipe,
  { indices, view, mixing }: InputKeys,
  pixelsOf: (place: number) => Uint8Array,
  [from, to]: readonly [from: number, to: number],
  target: Float32Array,
): void {
  const length = shape[0] * shape[1] * shape[2];
  const changed = view && augment && isAugmenting(augment) ? new Uint8Array(length) : undefined;
  const write = (place: number, into: Float32Array, row: number): void => {
    const pixels = pixelsOf(place);
    if (changed) augmentImage(pixels, changed, shape, augment!, { ...view!, sample: indices[place]! });
    normalizeImage(changed ?? pixels, preprocess, into, row * length);
  };
  for (let place = from; place < to; place++) write(place, target, place - from);
  if (mixing === undefined) return;
  const others = new Float32Array((to - from) * length);
  for (let row = 0; row < to - from; row++) {
    const partner = partnerOf(from + row, indices.length, mixing);
    // What is there already need not be made again.
    if (partner < from || partner >= to) write(partner, others, row);
    else others.set(target.subarray((partner - from) * length, (partner - from + 1) * length), row * length);
  }
  blend(target.subarray(0, others.length), others, shape, mixing);
}
