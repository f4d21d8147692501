import fc from "fast-check";
import { expect, test } from "vitest";
import { float16Bits, float16Value } from "./float16.ts";

test("every float16 comes back as its own bits", () => {
  const all = Uint16Array.from({ length: 0x10000 }, (_, bits) => bits).filter(
    (bits) => (bits & 0x7c00) !== 0x7c00 || (bits & 0x3ff) === 0,
  );
  expect(Uint16Array.from(all, (bits) => float16Bits(float16Value(bits)))).toEqual(all);
});

test("a number becomes the nearest float16, and of two the even one", () => {
  const finite = Float64Array.from({ length: 0x7c00 }, (_, bits) => float16Value(bits));
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0x7bfe }), fc.double({ min: 0, max: 1, noNaN: true }), (bits, share) => {
      const [below, above] = [finite[bits]!, finite[bits + 1]!];
      const value = Math.fround(below + share * (above - below));
      const [down, up] = [value - below, above - value];
      const nearest = down < up ? bits : up < down ? bits + 1 : bits + (bits & 1);
      expect(float16Bits(value)).toBe(nearest);
      expect(float16Bits(-value)).toBe(nearest | 0x8000);
    }),
    { numRuns: 2000 },
  );
});

test("beyond the range is infinite, and no number stays none", () => {
  expect(float16Bits(65519.99)).toBe(0x7bff);
  expect(float16Bits(65520)).toBe(0x7c00);
  expect(float16Bits(-Infinity)).toBe(0xfc00);
  expect(float16Value(float16Bits(Number.NaN))).toBeNaN();
});

test("known numbers (IEEE 754-2008, binary16)", () => {
  const known = [
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [2 ** -14, 0x0400],
    [2 ** -24, 0x0001],
    [1 / 3, 0x3555],
  ] as const;
  for (const [value, bits] of known) expect(float16Bits(value)).toBe(bits);
});
