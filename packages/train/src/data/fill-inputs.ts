/**
 * From the bytes of a batch's images to what a network is given: changed, normalised, mixed. Or changed only, where the
 * step normalises.
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
 * Writes the bytes of a batch's images, changed as {@link fillInputs} changes them, {@link packedLength} apart. Images that are mixed are
 * no bytes.
 *
 * @param target - At least `packedLength(shape)` bytes for each.
 */
export function fillPixels(
  { shape, augment }: Pick<InputRecipe, "shape" | "augment">,
  { indices, view }: Pick<InputKeys, "indices" | "view">,
  pixelsOf: (place: number) => Uint8Array,
  target: Uint8Array,
): void {
  const length = shape[0] * shape[1] * shape[2];
  const stride = packedLength(shape);
  const isChanged = view && augment && isAugmenting(augment);
  for (const [place, sample] of indices.entries()) {
    const image = target.subarray(place * stride, place * stride + length);
    if (isChanged) augmentImage(pixelsOf(place), image, shape, augment, { ...view, sample });
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
 * Writes the inputs of a batch.
 *
 * @param pixelsOf - The bytes of the image at a place of the batch.
 * @param target - At least `height * width * channels` floats for each image.
 */
export function fillInputs(
  { shape, preprocess, augment }: InputRecipe,
  { indices, view, mixing }: InputKeys,
  pixelsOf: (place: number) => Uint8Array,
  target: Float32Array,
): void {
  const length = shape[0] * shape[1] * shape[2];
  const changed = view && augment && isAugmenting(augment) ? new Uint8Array(length) : undefined;
  for (const [place, sample] of indices.entries()) {
    const pixels = pixelsOf(place);
    if (changed) augmentImage(pixels, changed, shape, augment!, { ...view!, sample });
    normalizeImage(changed ?? pixels, preprocess, target, place * length);
  }
  if (mixing === undefined) return;
  const others = new Float32Array(indices.length * length);
  for (const place of indices.keys()) {
    const partner = partnerOf(place, indices.length, mixing);
    others.set(target.subarray(partner * length, (partner + 1) * length), place * length);
  }
  blend(target.subarray(0, others.length), others, shape, mixing);
}
