import type { PreprocessSpec } from "@distillate/bundle";
import fc from "fast-check";
import { expect, test } from "vitest";
import { fillInputs } from "./fill-inputs.ts";
import { drawMixing } from "./mix.ts";

const SHAPE = [5, 4, 1] as const;
const preprocess: PreprocessSpec = {
  ...{ kind: "image", width: 4, height: 5, channels: 1, fit: "stretch", layout: "nhwc" },
  ...{ scale: 1 / 255, mean: [0.4], std: [0.2] },
};
const augment = { shift: 1, flip: true, erase: 0.5, colour: 0.3, mixup: 0.5, cutmix: 0.5 };
const pixelsOf = (place: number): Uint8Array => Uint8Array.from({ length: 20 }, (_, i) => (place * 37 + i * 11) % 256);

test("rows of a batch made apart are those of the whole, whatever is done to the images", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.nat(9), fc.nat(99), (size, cut, seed) => {
      const mixing = drawMixing(size, SHAPE, augment, { seed, epoch: 1, batch: 0 });
      const indices = Uint32Array.from({ length: size }, (_, i) => 3 * i + 1);
      const keys = { indices, view: { seed, epoch: 1 }, mixing };
      const recipe = { shape: SHAPE, preprocess, augment };
      const rows = (from: number, to: number): readonly number[] => {
        const target = new Float32Array((to - from) * 20);
        fillInputs(recipe, keys, pixelsOf, [from, to], target);
        return [...target];
      };
      const middle = Math.min(cut, size);
      expect([...rows(0, middle), ...rows(middle, size)]).toEqual(rows(0, size));
    }),
    { numRuns: 60 },
  );
});
