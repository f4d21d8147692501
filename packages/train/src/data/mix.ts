/**
 * Mixing pairs of images of one batch, labels in the same proportion.
 *
 *   lambda ~ Beta(a, a)       mixup: x = lambda x_i + (1 - lambda) x_j       cutmix: a rectangle of x_j, of area 1 - lambda, in x_i
 *
 * Zhang et al. 2018 (arXiv 1710.09412), eq. 1; Yun et al. 2019 (arXiv 1905.04899), eq. 1 and 2. One lambda a batch, partners by
 * a random turn of the batch, both from (seed, epoch, batch): a resumed epoch mixes the same.
 */
import type { RandomGenerator } from "pure-rand/types/RandomGenerator";
import { nextUnit, randomFor } from "../random.ts";

/** How strongly a batch is mixed; 0 leaves it as it is. Where both are set, a coin decides batch by batch. */
export interface MixConfig {
  readonly mixup: number;
  readonly cutmix: number;
}

/** What became of a batch's labels: `share` of each is its own, the rest its partner's. */
export interface Mixed {
  readonly partners: Int32Array;
  readonly share: number;
}

/** How one batch is mixed. */
export interface Mixing {
  /** How many places further each sample's partner is, round the batch. */
  readonly turn: number;
  /** What is left of each sample's own. */
  readonly share: number;
  /** The rectangle that comes from the partner; without it all of the image is blended. */
  readonly box?: Box;
}

interface Box {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/** Whether a configuration mixes at all. */
export function isMixing({ mixup, cutmix }: MixConfig): boolean {
  return mixup > 0 || cutmix > 0;
}

/** Draws how a batch of so many images is mixed. */
export function drawMixing(
  size: number,
  [height, width]: readonly [number, number, number],
  { mixup, cutmix }: MixConfig,
  key: { readonly seed: number; readonly epoch: number; readonly batch: number },
): Mixing {
  const random = randomFor(key.seed, 0x313c5, key.epoch, key.batch);
  const cuts = cutmix > 0 && (mixup === 0 || nextUnit(random) < 0.5);
  const lambda = nextBeta(random, cuts ? cutmix : mixup);
  const turn = size < 2 ? 0 : 1 + Math.floor(nextUnit(random) * (size - 1));
  if (!cuts) return { turn, share: lambda };
  const box = nextBox(random, height, width, 1 - lambda);
  // At an edge the rectangle is cut off: what counts is what was pasted.
  return { turn, share: 1 - ((box.bottom - box.top) * (box.right - box.left)) / (height * width), box };
}

/** The place of the sample that a place's sample is mixed with. */
export function partnerOf(place: number, size: number, { turn }: Mixing): number {
  return (place + turn) % size;
}

/** The labels of a mixed batch. */
export function mixedLabels(classes: Int32Array, mixing: Mixing): Mixed {
  return { partners: classes.map((_, i) => classes[partnerOf(i, classes.length, mixing)]!), share: mixing.share };
}

/**
 * Mixes images with their partners, in place.
 *
 * @param inputs - Images of `height * width * channels` floats, NHWC.
 * @param others - Each one's partner, as it was before.
 */
export function blend(
  inputs: Float32Array,
  others: Float32Array,
  [height, width, channels]: readonly [number, number, number],
  { share, box }: Mixing,
): void {
  if (box === undefined) {
    for (let p = 0; p < inputs.length; p++) inputs[p] = share * inputs[p]! + (1 - share) * others[p]!;
    return;
  }
  const length = height * width * channels;
  for (let image = 0; image < inputs.length; image += length) {
    for (let y = box.top; y < box.bottom; y++) {
      const [from, to] = [(y * width + box.left) * channels, (y * width + box.right) * channels];
      inputs.set(others.subarray(image + from, image + to), image + from);
    }
  }
}

/** A rectangle of the image's shape and the wanted share of its area, around a random centre, cut off at the edges. */
function nextBox(random: RandomGenerator, height: number, width: number, area: number): Box {
  const ratio = Math.sqrt(area);
  const [tall, wide] = [Math.round(height * ratio), Math.round(width * ratio)];
  const top = Math.floor(nextUnit(random) * height) - (tall >> 1);
  const left = Math.floor(nextUnit(random) * width) - (wide >> 1);
  return {
    top: Math.max(0, top),
    bottom: Math.min(height, top + tall),
    left: Math.max(0, left),
    right: Math.min(width, left + wide),
  };
}

/** A draw from Beta(a, a) (Jöhnk 1964; quick for a up to about 2). */
function nextBeta(random: RandomGenerator, a: number): number {
  for (;;) {
    const [x, y] = [nextUnit(random) ** (1 / a), nextUnit(random) ** (1 / a)];
    if (x + y > 0 && x + y <= 1) return x / (x + y);
  }
}
