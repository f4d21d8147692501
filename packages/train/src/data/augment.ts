/**
 * Random changes of a training image, on bytes: shift with black coming in, mirror, brightness and contrast, erase a
 * rectangle.
 *
 * What happens to a sample depends on (seed, epoch, sample) alone, not on the batch it is in, so a resumed epoch sees the
 * same images. Erasing: Zhong et al. 2020 (arXiv 1708.04896), with noise-free black, area 2 to 33 %, ratio 0.3 to 1/0.3.
 */
import type { RandomGenerator } from "pure-rand/types/RandomGenerator";
import type { AugmentConfig } from "../config.ts";
import { nextUnit, randomFor } from "../random.ts";

const ERASE = { minArea: 0.02, maxArea: 0.33, minRatio: 0.3 } as const;

/** Whether a configuration changes images at all; if not, every epoch sees the same view. */
export function isAugmenting({ shift, flip, erase, colour, mixup, cutmix }: AugmentConfig): boolean {
  return shift > 0 || flip || erase > 0 || colour > 0 || mixup > 0 || cutmix > 0;
}

/** Decides, with the sample, what happens to an image. */
export interface ViewKey {
  readonly seed: number;
  readonly epoch: number;
}

/** What an epoch of a training sees: new views, or the next of those that it goes round. Epochs count from 1. */
export function viewAt({ views }: AugmentConfig, seed: number, epoch: number): ViewKey {
  return views ? { seed: views.seed, epoch: ((epoch - 1) % views.count) + 1 } : { seed, epoch };
}

/**
 * Writes one augmented image to `target`.
 *
 * @param source - `height * width * channels` bytes.
 * @param target - As long as `source`.
 */
export function augmentImage(
  source: Uint8Array,
  target: Uint8Array,
  shape: readonly [number, number, number],
  config: AugmentConfig,
  key: ViewKey & { readonly sample: number },
): void {
  const [height, width, channels] = shape;
  const random = randomFor(key.seed, key.epoch, key.sample);
  const down = shiftBy(random, config.shift);
  const right = shiftBy(random, config.shift);
  const mirror = config.flip && nextUnit(random) < 0.5;
  const row = width * channels;

  target.fill(0);
  const fromX = Math.max(0, -right);
  const columns = width - Math.abs(right);
  for (let y = Math.max(0, down); y < height + Math.min(0, down); y++) {
    const start = (y - down) * row + fromX * channels;
    target.set(source.subarray(start, start + Math.max(0, columns) * channels), y * row + (fromX + right) * channels);
  }
  if (mirror) mirrorRows(target, shape);
  if (config.colour > 0) changeColour(target, config.colour, random);
  if (config.erase > 0 && nextUnit(random) < config.erase) eraseRectangle(target, shape, random);
}

function shiftBy(random: RandomGenerator, limit: number): number {
  return limit === 0 ? 0 : Math.floor(nextUnit(random) * (2 * limit + 1)) - limit;
}

function mirrorRows(image: Uint8Array, [height, width, channels]: readonly [number, number, number]): void {
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width >> 1; x++) {
      const left = (y * width + x) * channels;
      const right = (y * width + width - 1 - x) * channels;
      for (let c = 0; c < channels; c++) {
        const kept = image[left + c]!;
        image[left + c] = image[right + c]!;
        image[right + c] = kept;
      }
    }
  }
}

/** Contrast about mid-grey, then brightness, each by a factor from 1 - limit to 1 + limit; bytes are rounded and kept in range. */
function changeColour(image: Uint8Array, limit: number, random: RandomGenerator): void {
  const contrast = 1 + limit * (2 * nextUnit(random) - 1);
  const brightness = 1 + limit * (2 * nextUnit(random) - 1);
  const changed = Uint8ClampedArray.from({ length: 256 }, (_, value) => ((value - 128) * contrast + 128) * brightness);
  for (let i = 0; i < image.length; i++) image[i] = changed[image[i]!]!;
}

function eraseRectangle(
  image: Uint8Array,
  [height, width, channels]: readonly [number, number, number],
  random: RandomGenerator,
): void {
  const area = (ERASE.minArea + nextUnit(random) * (ERASE.maxArea - ERASE.minArea)) * height * width;
  const logRatio = Math.log(ERASE.minRatio) * (2 * nextUnit(random) - 1);
  const tall = Math.min(height, Math.max(1, Math.round(Math.sqrt(area * Math.exp(logRatio)))));
  const wide = Math.min(width, Math.max(1, Math.round(Math.sqrt(area / Math.exp(logRatio)))));
  const top = Math.floor(nextUnit(random) * (height - tall + 1));
  const left = Math.floor(nextUnit(random) * (width - wide + 1));
  for (let y = top; y < top + tall; y++) {
    image.fill(0, (y * width + left) * channels, (y * width + left + wide) * channels);
  }
}
