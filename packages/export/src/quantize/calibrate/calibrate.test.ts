import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { floatTensor } from "../../tensor.ts";
import type { ActivationType, Affine, Range } from "../affine.ts";
import { affineFor, LARGEST, roundEven } from "../affine.ts";
import { quantizeBias, quantizeWeight, weightScales } from "../quantize-constant.ts";
import { CALIBRATORS, type CalibratorSpec, createCalibrator } from "./index.ts";

type Name = (typeof CALIBRATORS)[number];

/** Made by tests/golden/quantization.py with NumPy. */
const golden = JSON.parse(
  readFileSync(new URL("../../../../../tests/golden/quantization.json", import.meta.url), "utf8"),
) as {
  readonly activations: readonly {
    readonly name: string;
    readonly samples: number;
    readonly values: readonly number[];
    readonly ranges: { readonly [Kind in Name]: Range & { readonly [Type in ActivationType]: Affine } };
  }[];
  readonly weights: readonly {
    readonly shape: number[];
    readonly axis: number;
    readonly perChannel: boolean;
    readonly limit: number;
    readonly inputScale: number;
    readonly weight: number[];
    readonly bias: number[];
    readonly scales: number[];
    readonly integers: number[];
    readonly biasScales: number[];
    readonly biasIntegers: number[];
  }[];
};

const SPECS: { readonly [Kind in Name]: CalibratorSpec } = {
  "min-max": { kind: "min-max" },
  "moving-average": { kind: "moving-average", momentum: 0.99 },
  percentile: { kind: "percentile", percent: 99.99, bins: 4096 },
  entropy: { kind: "entropy", bins: 4096 },
  mse: { kind: "mse", bins: 4096 },
};

/** The range that a calibrator finds when it sees the samples in parts. */
function rangeOf(kind: Name, values: Float32Array, samples: number, parts = 1): Range {
  const calibrator = createCalibrator(SPECS[kind], "uint8");
  const size = values.length / parts;
  for (let part = 0; part < parts; part++)
    calibrator.observe(values.subarray(part * size, (part + 1) * size), samples / parts);
  return calibrator.range();
}

describe.each(CALIBRATORS)("%s", (kind) => {
  test.each(golden.activations)("scale and zero point of $name are NumPy's", ({ values, samples, ranges }) => {
    const { uint8, uint16, ...expected } = ranges[kind];
    const range = rangeOf(kind, Float32Array.from(values), samples);
    expect(range.min).toBeCloseTo(expected.min, 9);
    expect(range.max).toBeCloseTo(expected.max, 9);
    expect(affineFor(range)).toEqual(uint8);
    expect(affineFor(range, "uint16")).toEqual(uint16);
  });

  test("the same range however the samples are batched, and asked twice", () => {
    for (const { values, samples } of golden.activations) {
      const floats = Float32Array.from(values);
      const whole = rangeOf(kind, floats, samples);
      expect(rangeOf(kind, floats, samples, 4)).toEqual(whole);
      const calibrator = createCalibrator(SPECS[kind], "uint8");
      calibrator.observe(floats, samples);
      expect([calibrator.range(), calibrator.range()]).toEqual([whole, whole]);
    }
  });

  test("zero is within, and nothing beyond what was seen", () => {
    const batches = fc.array(
      fc.float32Array({
        minLength: 1,
        maxLength: 40,
        noNaN: true,
        noDefaultInfinity: true,
        min: -(2 ** 66),
        max: 2 ** 66,
      }),
      { minLength: 1, maxLength: 5 },
    );
    fc.assert(
      fc.property(batches, (list) => {
        const calibrator = createCalibrator(SPECS[kind], "uint8");
        for (const values of list) calibrator.observe(values, 1);
        const { min, max } = calibrator.range();
        const all = list.flatMap((values) => [...values]);
        // A mean of ends is rounded once a sample.
        const slack = 1 + 1e-12;
        expect(min).toBeLessThanOrEqual(0);
        expect(max).toBeGreaterThanOrEqual(0);
        expect(min).toBeGreaterThanOrEqual(Math.min(0, ...all) * slack);
        expect(max).toBeLessThanOrEqual(Math.max(0, ...all) * slack);
      }),
    );
  });

  test("a tensor that is zero, or nothing else than one value", () => {
    expect(rangeOf(kind, new Float32Array(100), 10)).toEqual({ min: 0, max: 0 });
    const { min, max } = rangeOf(kind, new Float32Array(100).fill(2.5), 10);
    expect(min).toBe(0);
    expect(max).toBeCloseTo(2.5, 1);
  });
});

test("what cuts is not moved by one outlier among two thousand values", () => {
  const { values, samples } = golden.activations.find(({ name }) => name === "one outlier")!;
  const floats = Float32Array.from(values);
  expect(rangeOf("min-max", floats, samples).max).toBe(40);
  for (const kind of ["moving-average", "entropy"] as const)
    expect(rangeOf(kind, floats, samples).max).toBeLessThan(20);
});

test.each(golden.weights)("weights of shape $shape by axis $axis, limit $limit: integers are NumPy's", (it) => {
  const weight = floatTensor(Float32Array.from(it.weight), it.shape);
  const bias = floatTensor(Float32Array.from(it.bias), [it.bias.length]);
  const scales = weightScales(weight, { ...it, bias });
  expect([...scales]).toEqual(it.scales);
  expect([...new Int8Array(quantizeWeight(weight, scales, it.axis, it.limit).integers.bytes.buffer)]).toEqual(
    it.integers,
  );
  const sums = quantizeBias(bias, it.inputScale, scales);
  expect([...sums.scales]).toEqual(it.biasScales);
  expect([...new Int32Array(sums.integers.bytes.buffer)]).toEqual(it.biasIntegers);
});

describe("the affine map", () => {
  test.each(["uint8", "uint16"] as const)("%s: dequantise(quantise(x)) lies within half a step", (type) => {
    const side = fc.float({ min: -1000, max: 1000, noNaN: true });
    fc.assert(
      fc.property(side, side, fc.double({ min: 0, max: 1, noNaN: true }), (a, b, at) => {
        const range = { min: Math.min(0, a, b), max: Math.max(0, a, b) };
        fc.pre(range.max - range.min > 1e-6);
        const { scale, zero } = affineFor(range, type);
        const value = range.min + at * (range.max - range.min);
        const q = Math.min(LARGEST[type], Math.max(0, roundEven(value / scale) + zero));
        // The scale is a float32: the last step of 65,535 may be off by as many roundings.
        expect(Math.abs((q - zero) * scale - value)).toBeLessThanOrEqual((0.5 + LARGEST[type] * 2 ** -23) * scale);
        expect((0 - zero) * scale + zero * scale).toBe(0);
        if (range.min === 0) expect(zero).toBe(0);
        expect(zero).toBeGreaterThanOrEqual(0);
        expect(zero).toBeLessThanOrEqual(LARGEST[type]);
      }),
    );
  });

  test("by hand, ties to even, and a tensor that is always zero", () => {
    expect(affineFor({ min: 0, max: 255 })).toEqual({ scale: 1, zero: 0 });
    expect(affineFor({ min: -1, max: 3 })).toEqual({ scale: Math.fround(4 / 255), zero: 64 });
    expect(affineFor({ min: 0, max: 0 })).toEqual({ scale: 1, zero: 0 });
    expect([0.5, 1.5, 2.5, -0.5, -1.5, 2.4].map(roundEven).map((v) => v + 0)).toEqual([0, 2, 2, 0, -2, 2]);
  });
});
