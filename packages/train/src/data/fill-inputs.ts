/** From the bytes of a batch's images to what a network is given: changed, normalised, mixed. Any rows of it alone, too. */
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
