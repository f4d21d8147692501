/** The order of a pass through a set, and what decides each of its batches: all but the pixels, which are made where they are wanted. */
import { DistillateError, type PreprocessSpec } from "@distillate/bundle";
import type { AugmentConfig } from "../config.ts";
import { randomFor, shuffle } from "../random.ts";
import { isAugmenting, type ViewKey } from "./augment.ts";
import { type Images, NO_LABEL } from "./dataset.ts";
import { fillInputs, fillPixels, packedLength } from "./fill-inputs.ts";
import { drawMixing, isMixing, type Mixed, mixedLabels } from "./mix.ts";

/** How a pass goes through a set. */
export interface BatchOptions {
  readonly batchSize: number;
  readonly preprocess: PreprocessSpec;
  /** In an order of this seed and epoch; without it in the order of the indices. */
  readonly shuffle?: { readonly seed: number; readonly epoch: number };
  readonly augment?: AugmentConfig & ViewKey;
  /** Make bytes, for a step that normalises them itself. Not where images are mixed. */
  readonly asBytes?: boolean;
  /** Samples whose label nobody may look at. */
  readonly hidden?: ReadonlySet<number>;
  /** Batches to leave out at the start: where a resumed epoch goes on. */
  readonly skip?: number;
}

/** A batch without its pixels. Its arrays are used again for the next one: copy what must last. */
export interface DrawnBatch {
  readonly size: number;
  /** Index of each sample in its set. */
  readonly indices: Uint32Array;
  /** -1 for a sample whose label is hidden or unknown. */
  readonly classes: Int32Array;
  /** There where images were mixed: whose labels count beside their own. */
  readonly mixed?: Mixed;
  /** There where images were changed: by which view. */
  readonly view?: ViewKey;
}

/** What a batch is made as: floats, or bytes. */
export type Made<Buffer extends ArrayBufferLike = ArrayBufferLike> = Float32Array<Buffer> | Uint8Array<Buffer>;

/** A batch and how it is made: `fill` writes all of its floats or bytes, while it is the current one. */
export interface Drawn {
  readonly drawn: DrawnBatch;
  fill(target: Made): void;
}

/** Floats or bytes that an image is made as. */
export function madeLength(shape: Images["shape"], { asBytes }: Pick<BatchOptions, "asBytes">): number {
  return asBytes ? packedLength(shape) : shape[0] * shape[1] * shape[2];
}

/**
 * Goes once through the samples named by `indices`; the last batch may be smaller.
 *
 * @throws DistillateError `bytes-of-mixed`, since a blend of images is no bytes.
 */
export function* drawBatches(images: Images, indices: Uint32Array, options: BatchOptions): Generator<Drawn> {
  const { batchSize, preprocess, augment } = options;
  if (options.asBytes && augment && isMixing(augment)) throw unmixable();
  const length = madeLength(images.shape, {});
  const order = indices.slice();
  if (options.shuffle) shuffle(order, randomFor(options.shuffle.seed, 0x0bd37, options.shuffle.epoch));

  const classes = new Int32Array(batchSize);
  const recipe = { shape: images.shape, preprocess, ...(augment && { augment }) };
  for (let start = (options.skip ?? 0) * batchSize; start < order.length; start += batchSize) {
    const members = order.subarray(start, start + batchSize);
    const size = members.length;
    for (const [place, sample] of members.entries()) {
      const label = images.classes[sample]!;
      classes[place] = label === NO_LABEL || options.hidden?.has(sample) ? -1 : label;
    }
    const own = classes.subarray(0, size);
    const key = augment && { seed: augment.seed, epoch: augment.epoch, batch: start / batchSize };
    const mixing = key && isMixing(augment) ? drawMixing(size, images.shape, augment, key) : undefined;
    const keys = { indices: members, ...(augment && isAugmenting(augment) && { view: augment }) };
    const drawn = { ...keys, size, classes: own, ...(mixing && { mixed: mixedLabels(own, mixing) }) };
    const pixelsOf = (place: number): Uint8Array =>
      images.pixels.subarray(members[place]! * length, (members[place]! + 1) * length);
    yield {
      drawn,
      fill(target) {
        if (target instanceof Uint8Array) fillPixels(recipe, keys, pixelsOf, target);
        else fillInputs(recipe, { ...keys, ...(mixing && { mixing }) }, pixelsOf, target);
      },
    };
  }
}

function unmixable(): DistillateError {
  return new DistillateError({
    code: "bytes-of-mixed",
    message: "a pass was asked for bytes, and its augmentation mixes images",
    hint: "Leave out asBytes, or mixup and cutmix.",
  });
}
