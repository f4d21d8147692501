import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import type { ToldTo } from "../tasks/index.ts";
import { inParts } from "../threads/in-parts.ts";

/** Pixels that the loop keeps in registers at once. */
export const TILE = 4;
/** Multiplications that are worth being handed over. */
export const WORTH_A_PART = 2 ** 15;
/** Pixels that are worth a way through all filters. */
const WORTH_A_WAY = 64;
/** Parts that there are to be where pixels are few. */
const FEWEST_PARTS = 4;

/** Convolves single pixels, some in each part. */
export function convolvePixels(backend: BackendWasm, told: Omit<ToldTo<"convolvePixels">, "each">): void {
  const { count, channels, filters } = told;
  const many = Math.max(WORTH_A_PART / (channels * filters), Math.min(WORTH_A_WAY, count / FEWEST_PARTS));
  const each = TILE * Math.ceil(Math.min(many, count) / TILE);
  inParts(backend, "convolvePixels", { each, ...told }, Math.ceil(count / each));
}
