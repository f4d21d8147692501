import { normalizeImage, type PreprocessSpec } from "@distillate/bundle";
import type { AugmentConfig } from "../config.ts";
import { randomFor, shuffle } from "../random.ts";
import { augmentImage, isAugmenting, type ViewKey } from "./augment.ts";
import { type Images, NO_LABEL } from "./dataset.ts";
import { isMixing, type Mixed, mixBatch } from "./mix.ts";

/** One batch, ready for a model. Its arrays are used again for the next batch: copy what must last. */
export interface Batch {
  readonly size: number;
  /** Index of each sample in its set. */
  readonly indices: Uint32Array;
  /** `size * height * width * channels` floats in the layout of the preprocessing. */
  readonly inputs: Float32Array;
  /** -1 for a sample whose label is hidden or unknown. */
  readonly classes: Int32Array;
  /** There where images were mixed: whose labels count beside their own. */
  readonly mixed?: Mixed;
  /** There where images were changed: by which view. */
  readonly view?: ViewKey;
}

/** How {@link batches} goes through a set. */
export interface BatchOptions {
  readonly batchSize: number;
  readonly preprocess: PreprocessSpec;
  /** In an order of this seed and epoch; without it in the order of the indices. */
  readonly shuffle?: { readonly seed: number; readonly epoch: number };
  readonly augment?: AugmentConfig & ViewKey;
  /** Samples whose label nobody may look at. */
  readonly hidden?: ReadonlySet<number>;
  /** Batches to leave out at the start: where a resumed epoch goes on. */
  readonly skip?: number;
}

/**
 * Goes once through the samples named by `indices`, batch by batch, by index: the set itself is never copied or moved.
 * The last batch may be smaller.
 */
export async function* batches(images: Images, indices: Uint32Array, options: BatchOptions): AsyncGenerator<Batch> {
  const { batchSize, preprocess, augment } = options;
  const [height, width, channels] = images.shape;
  const length = height * width * channels;
  const order = indices.slice();
  if (options.shuffle) shuffle(order, randomFor(options.shuffle.seed, 0x0bd37, options.shuffle.epoch));

  const inputs = new Float32Array(batchSize * length);
  const classes = new Int32Array(batchSize);
  const changed = augment && isAugmenting(augment) ? new Uint8Array(length) : undefined;
  for (let start = (options.skip ?? 0) * batchSize; start < order.length; start += batchSize) {
    const members = order.subarray(start, start + batchSize);
    for (const [place, sample] of members.entries()) {
      const pixels = images.pixels.subarray(sample * length, (sample + 1) * length);
      if (changed && augment) augmentImage(pixels, changed, images.shape, augment, { ...augment, sample });
      normalizeImage(changed ?? pixels, preprocess, inputs, place * length);
      const label = images.classes[sample]!;
      classes[place] = label === NO_LABEL || options.hidden?.has(sample) ? -1 : label;
    }
    const size = members.length;
    const batch: Batch = {
      size,
      indices: members,
      inputs: inputs.subarray(0, size * length),
      classes: classes.subarray(0, size),
      ...(changed && augment && { view: augment }),
    };
    if (augment && isMixing(augment)) {
      const key = { seed: augment.seed, epoch: augment.epoch, batch: start / batchSize };
      yield { ...batch, mixed: mixBatch(batch.inputs, batch.classes, images.shape, augment, key) };
    } else yield batch;
  }
}
