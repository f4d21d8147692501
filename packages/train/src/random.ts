import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import type { RandomGenerator } from "pure-rand/types/RandomGenerator";

/**
 * A generator for one purpose: the same seed and keys always give the same stream, different keys unrelated ones.
 *
 * Keys are whatever names the place of use (epoch, sample, layer). So no generator has to be saved with a checkpoint:
 * the position in the training says it all.
 */
export function randomFor(seed: number, ...keys: readonly number[]): RandomGenerator {
  return xoroshiro128plus(deriveSeed(seed, ...keys));
}

/** A 32-bit seed from a seed and keys, each mixed in by the finaliser of MurmurHash3. */
export function deriveSeed(seed: number, ...keys: readonly number[]): number {
  return keys.reduce((hash, key) => mix(Math.imul(hash, 0x9e3779b1) ^ mix(key + 0x7f4a7c15)), mix(seed));
}

function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** A float in [0, 1) from the upper 24 bits of the next draw. */
export function nextUnit(random: RandomGenerator): number {
  return (random.next() >>> 8) * 2 ** -24;
}

/** Shuffles in place (Fisher and Yates, as in Knuth, The Art of Computer Programming 2, 3.4.2 P). */
export function shuffle(indices: Uint32Array, random: RandomGenerator): void {
  for (let last = indices.length - 1; last > 0; last--) {
    const other = Math.floor(nextUnit(random) * (last + 1));
    const kept = indices[last]!;
    indices[last] = indices[other]!;
    indices[other] = kept;
  }
}
