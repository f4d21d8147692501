import fc from "fast-check";
import { expect, test } from "vitest";
import { argmax, softmax, topK } from "./postprocess.ts";

test("softmax sums to one, ignores a shift and never overflows", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: -50, max: 50, noNaN: true }), { minLength: 1, maxLength: 20 }), (logits) => {
      const plain = softmax(logits);
      expect(plain.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
      const shifted = softmax(logits.map((z) => z + 1e4));
      for (const [i, p] of plain.entries()) expect(shifted[i]).toBeCloseTo(p, 5);
    }),
  );
  expect(Array.from(softmax([1000, 0]))).toEqual([1, 0]);
});

test("top-k ranks by score, then by index", () => {
  expect(topK([0.1, 0.4, 0.1, 0.4], ["a", "b", "c", "d"], 3).map(({ label }) => label)).toEqual(["b", "d", "a"]);
  expect(argmax([0, 3, 1, 3])).toBe(1);
  expect(argmax([9, 0, 1, 2], 1, 3)).toBe(2);
});
