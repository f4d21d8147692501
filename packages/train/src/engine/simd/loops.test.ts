import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BITS } from "./assembler.ts";
import { fusesMultiplyAdd } from "./fused-multiply-add.ts";
import { makeMemory } from "./instantiate.ts";
import { instantiateLoops } from "./loops.ts";

const memory = makeMemory(2);
const loops = instantiateLoops(memory, false);
const heap = new Float32Array(memory.buffer);
// Whole numbers add without rounding; they are made without a negative zero, which a sum loses.

test("sums and products down columns agree with plain loops, add to what is there and write nothing beside it", () => {
  const cases = fc.record({
    rows: fc.integer({ min: 0, max: 5 }),
    lines: fc.integer({ min: 0, max: 3 }),
    columns: fc.integer({ min: 0, max: 41 }),
    gap: fc.integer({ min: 0, max: 3 }),
    seed: fc.nat(999),
  });
  fc.assert(
    fc.property(cases, ({ rows, lines, columns, gap, seed }) => {
      const stride = columns + gap;
      const [a, b, out] = [1, 1001, 2001];
      for (let i = 0; i < 3001; i++) heap[i] = Math.round(Math.sin(seed + i * 78.233) * 64) + 0;
      const start = heap.slice(0, 3001);
      const sum = (c: number, factor: (at: number) => number): number => {
        let total = start[out + c]!;
        for (let l = 0; l < lines; l++)
          for (let r = 0; r < rows; r++) {
            const at = (l * (rows + 1) + r) * stride + c;
            total += start[a + at]! * factor(b + at);
          }
        return total;
      };
      // Whole numbers this small add without rounding, so equality is exact.
      const row = stride * 4;
      const line = (rows + 1) * row;
      for (const withB of [false, true]) {
        heap.set(start);
        if (withB) loops.dotColumns(a * 4, row, line, b * 4, row, line, out * 4, rows, lines, columns);
        else loops.sumColumns(a * 4, row, line, out * 4, rows, lines, columns);
        const expected = start.slice();
        for (let c = 0; c < columns; c++) expected[out + c] = sum(c, (at) => (withB ? start[at]! : 1));
        expect([...heap.subarray(0, 3001)]).toEqual([...expected]);
      }
    }),
    { numRuns: 100 },
  );
});

describe.each([
  { products: "rounded", fused: false },
  { products: "fused", fused: true },
])("products that are $products before they are added", ({ fused }) => {
  const isHere = !fused || fusesMultiplyAdd();
  const products = isHere ? instantiateLoops(memory, fused) : loops;
  describe.skipIf(!isHere)("matrices and convolutions", () => {
    test("(1 + 2^-12)^2 keeps its last part where it is not rounded first", () => {
      const [a, b, out] = [1, 11, 21];
      heap[a] = 1 + 2 ** -12;
      heap.fill(1 + 2 ** -12, b, b + 4);
      heap.fill(-(1 + 2 ** -11), out, out + 4);
      products.outerSums(a * 4, 4, 4, 1, b * 4, 16, 4, out * 4, 1, 1);
      expect([...heap.subarray(out, out + 4)]).toEqual(new Array(4).fill(fused ? 2 ** -24 : 0));
    });

    test("sums of outer products agree with plain loops for every size of tile", () => {
      const size = fc.integer({ min: 0, max: 21 });
      const few = fc.integer({ min: 0, max: 3 });
      fc.assert(
        fc.property(size, size, fc.integer({ min: 0, max: 5 }), few, fc.nat(999), (p, q, rows, lines, seed) => {
          const [a, b, out] = [1, 1001, 2001];
          for (let i = 0; i < 3001; i++) heap[i] = Math.round(Math.sin(seed + i * 78.233) * 64) + 0;
          const expected = heap.slice(0, 3001);
          const line = rows * (p + 3) + 2;
          for (let t = 0; t < rows * lines; t++) {
            const row = a + Math.floor(t / rows) * line + (t % rows) * (p + 3);
            for (let i = 0; i < p; i++)
              for (let j = 0; j < q; j++) expected[out + i * q + j]! += heap[row + i]! * heap[b + t * (q + 1) + j]!;
          }
          products.outerSums(a * 4, (p + 3) * 4, line * 4, p, b * 4, (q + 1) * 4, q, out * 4, rows, lines);
          expect([...heap.subarray(0, 3001)]).toEqual([...expected]);
        }),
        { numRuns: 150 },
      );
    });

    test("inner products of rows agree with plain loops for every size of tile, and write nothing beside", () => {
      const size = fc.integer({ min: 0, max: 11 });
      fc.assert(
        fc.property(size, size, fc.integer({ min: 0, max: 19 }), fc.nat(999), (p, q, columns, seed) => {
          const [a, b, out] = [1, 1001, 2001];
          for (let i = 0; i < 3001; i++) heap[i] = Math.round(Math.sin(seed + i * 78.233) * 64) + 0;
          const expected = heap.slice(0, 3001);
          for (let i = 0; i < p; i++) {
            for (let j = 0; j < q; j++) {
              let sum = 0;
              for (let k = 0; k < columns; k++) sum += heap[a + i * columns + k]! * heap[b + j * columns + k]!;
              expected[out + i * q + j] = sum;
            }
          }
          products.innerProducts(a * 4, p, b * 4, q, out * 4, columns);
          expect([...heap.subarray(0, 3001)]).toEqual([...expected]);
        }),
        { numRuns: 150 },
      );
    });

    test("a convolution agrees with plain loops for every size of tile, with bias, floor, strides and rows apart, and writes nothing beside", () => {
      const cases = fc.record({
        channels: fc.integer({ min: 1, max: 3 }),
        filters: fc.integer({ min: 4, max: 19 }),
        width: fc.integer({ min: 1, max: 9 }),
        height: fc.integer({ min: 1, max: 2 }),
        window: fc.integer({ min: 1, max: 3 }),
        stride: fc.integer({ min: 1, max: 2 }),
        dilation: fc.integer({ min: 1, max: 2 }),
        isRectified: fc.boolean(),
        seed: fc.nat(999),
      });
      fc.assert(
        fc.property(cases, ({ channels, filters, width, height, window, stride, dilation, isRectified, seed }) => {
          const [x, filter, ends, out] = [1, 1001, 1801, 2001];
          for (let i = 0; i < 3001; i++) heap[i] = Math.round(Math.sin(seed + i * 78.233) * 64) + 0;
          const floor = isRectified ? 0 : Number.NEGATIVE_INFINITY;
          heap[ends + filters] = floor;
          const row = ((width - 1) * stride + window) * channels;
          const expected = heap.slice(0, 3001);
          for (let oy = 0; oy < height; oy++)
            for (let ox = 0; ox < width; ox++)
              for (let k = 0; k < filters; k++) {
                let sum = heap[ends + k]!;
                for (let i = 0; i < window; i++)
                  for (let t = 0; t < window * channels; t++)
                    sum +=
                      heap[x + (oy * stride + i * dilation) * row + ox * stride * channels + t]! *
                      heap[filter + (i * window * channels + t) * filters + k]!;
                expected[out + (oy * width + ox) * filters + k] = Math.max(sum, floor);
              }
          const [pixel, bytes] = [stride * channels * 4, row * 4];
          const [taps, weights] = [window * channels, filter * 4];
          products.convolve(
            x * 4,
            pixel,
            dilation * bytes,
            stride * bytes,
            weights,
            taps,
            window,
            ends * 4,
            out * 4,
            width,
            height,
            filters,
          );
          expect([...heap.subarray(0, 3001)]).toEqual([...expected]);
        }),
        { numRuns: 200 },
      );
    });
  });
});

/** The places of a window that begins at a column of an image, in reading order. */
function placesOf([height, width]: readonly [number, number], columns: number, from: number): readonly number[] {
  return Array.from({ length: height * width }, (_, at) => Math.floor(at / width) * columns + from + (at % width));
}

test("each window's gradient goes to the first of its largest values, ties, overlaps and edges included", () => {
  const cases = fc.record({
    height: fc.integer({ min: 1, max: 3 }),
    width: fc.integer({ min: 1, max: 3 }),
    windows: fc.integer({ min: 0, max: 3 }),
    step: fc.integer({ min: 1, max: 2 }),
    channels: fc.constantFrom(4, 8, 12),
    values: fc.array(fc.integer({ min: -2, max: 2 }), { minLength: 300, maxLength: 300 }),
    isRectified: fc.boolean(),
  });
  fc.assert(
    fc.property(cases, ({ height, width, windows, step, channels, values, isRectified }) => {
      const columns = windows * step + width;
      const [x, out, dy] = [1, 401, 801];
      heap.fill(0, 0, 900);
      for (let i = 0; i < height * columns * channels; i++) heap[x + i] = values[i % values.length]!;
      for (let i = 0; i < windows * channels; i++) heap[dy + i] = i + 1;
      const expected = heap.slice(0, 900);
      for (let i = 0; i < windows * channels; i++) {
        const [window, c] = [Math.floor(i / channels), i % channels];
        const places = placesOf([height, width], columns, window * step).map((place) => place * channels + c);
        const largest = Math.max(...places.map((place) => expected[x + place]!));
        if (isRectified && largest <= 0) continue;
        expected[out + places.find((place) => expected[x + place] === largest)!]! += i + 1;
      }
      const [row, pixel] = [columns * channels * 4, channels * 4];
      const start = heap.slice(0, 900);
      const least = isRectified ? BITS.tiniest : BITS.minusInfinity;
      loops.windowMaxima(x * 4, out * 4, dy * 4, row, pixel, step * pixel, windows, channels, least, height, width);
      expect(heap.slice(0, 900)).toEqual(expected);
      if (height !== 2 || width !== 2 || step !== 2) return;
      // What was there is written over, as far as windows reach.
      heap.set(start);
      for (let line = 0; line < 2; line++) {
        const from = out + line * columns * channels;
        heap.fill(7, from, from + 2 * windows * channels);
      }
      loops.squareMaxima(x * 4, out * 4, dy * 4, row, pixel, step * pixel, windows, channels, least);
      expect(heap.slice(0, 900)).toEqual(expected);
    }),
    { numRuns: 200 },
  );
});

test("the largest of each window, where nothing is beyond minus infinity and what is no number is passed over", () => {
  const cases = fc.record({
    height: fc.integer({ min: 0, max: 3 }),
    width: fc.integer({ min: 0, max: 3 }),
    windows: fc.integer({ min: 0, max: 3 }),
    step: fc.integer({ min: 1, max: 3 }),
    channels: fc.constantFrom(4, 8, 12),
    values: fc.array(fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constant(Number.NaN)), {
      minLength: 50,
      maxLength: 50,
    }),
  });
  fc.assert(
    fc.property(cases, ({ height, width, windows, step, channels, values }) => {
      const columns = windows * step + width;
      const [x, out] = [1, 501];
      heap.fill(7, 0, 600);
      for (let i = 0; i < height * columns * channels; i++) heap[x + i] = values[i % values.length]!;
      const start = heap.slice(0, 600);
      const expected = start.slice();
      for (let i = 0; i < windows * channels; i++) {
        const [window, c] = [Math.floor(i / channels), i % channels];
        const places = placesOf([height, width], columns, window * step);
        const seen = places.map((place) => start[x + place * channels + c]!);
        expected[out + i] = Math.max(...seen.filter((value) => !Number.isNaN(value)));
      }
      const [row, pixel] = [columns * channels * 4, channels * 4];
      loops.windowLargest(x * 4, out * 4, row, pixel, step * pixel, windows, channels, height, width);
      expect(heap.slice(0, 600)).toEqual(expected);
      if (height !== 2 || width !== 2) return;
      heap.set(start);
      loops.squareLargest(x * 4, out * 4, row, pixel, step * pixel, windows, channels);
      expect(heap.slice(0, 600)).toEqual(expected);
    }),
    { numRuns: 200 },
  );
});

test("a depthwise convolution agrees with plain loops for every size of tile, with strides and dilation", () => {
  const cases = fc.record({
    channels: fc.integer({ min: 4, max: 19 }),
    width: fc.integer({ min: 1, max: 9 }),
    height: fc.integer({ min: 1, max: 2 }),
    window: fc.integer({ min: 0, max: 3 }),
    stride: fc.integer({ min: 1, max: 2 }),
    dilation: fc.integer({ min: 1, max: 2 }),
    isRectified: fc.boolean(),
    seed: fc.nat(999),
  });
  fc.assert(
    fc.property(cases, ({ channels, width, height, window, stride, dilation, isRectified, seed }) => {
      const [x, filter, ends, out] = [1, 4001, 4201, 4301];
      for (let i = 0; i < 5001; i++) heap[i] = Math.round(Math.sin(seed + i * 78.233) * 64) + 0;
      const floor = isRectified ? 0 : Number.NEGATIVE_INFINITY;
      heap[ends + channels] = floor;
      const row = ((width - 1) * stride + window * dilation) * channels;
      const expected = heap.slice(0, 5001);
      for (let oy = 0; oy < height; oy++)
        for (let ox = 0; ox < width; ox++)
          for (let c = 0; c < channels; c++) {
            let sum = heap[ends + c]!;
            for (let i = 0; i < window; i++)
              for (let j = 0; j < window; j++)
                sum +=
                  heap[x + (oy * stride + i * dilation) * row + (ox * stride + j * dilation) * channels + c]! *
                  heap[filter + (i * window + j) * channels + c]!;
            expected[out + (oy * width + ox) * channels + c] = Math.max(sum, floor);
          }
      const [pixel, bytes, tap] = [stride * channels * 4, row * 4, dilation * channels * 4];
      const [rows, at] = [[dilation * bytes, stride * bytes] as const, [ends * 4, out * 4] as const];
      loops.convolveChannels(x * 4, pixel, ...rows, filter * 4, window, window, ...at, width, height, channels, tap);
      expect([...heap.subarray(0, 5001)]).toEqual([...expected]);
    }),
    { numRuns: 200 },
  );
});

test("maps of channels with and without a floor, and rectifying, for every remainder of four; what is no number stays", () => {
  const [x, y, coefficients, out] = [1, 201, 401, 501];
  for (const columns of [1, 3, 4, 7, 12, 13]) {
    const rows = 5;
    const size = rows * columns;
    for (let i = 0; i < 200; i++) [heap[x + i], heap[y + i]] = [Math.sin(i), Math.cos(i * 3)];
    for (let i = 0; i < 3 * columns; i++) heap[coefficients + i] = Math.sin(i * 7);
    heap[x] = Number.NaN;
    const round = Math.fround;
    const at = (i: number, k: number): number => heap[coefficients + k * columns + (i % columns)]!;
    const one = (i: number): number => round(round(heap[x + i]! * at(i, 0)) + at(i, 1));
    const two = (i: number): number =>
      round(round(round(heap[x + i]! * at(i, 0)) + round(heap[y + i]! * at(i, 1))) + at(i, 2));
    const floored = (value: number): number => Math.max(value, 0);
    const all = (value: (i: number) => number): number[] => Array.from({ length: size }, (_, i) => value(i));
    const found = (): number[] => [...heap.subarray(out, out + size)];
    const [xAt, yAt, by, to] = [x * 4, y * 4, coefficients * 4, out * 4];
    loops.affineOne(xAt, by, BITS.minusInfinity, to, rows, columns);
    expect(found()).toEqual(all(one));
    loops.affineOne(xAt, by, BITS.zero, to, rows, columns);
    expect(found()).toEqual(all((i) => floored(one(i))));
    loops.affineTwo(xAt, yAt, by, BITS.minusInfinity, to, rows, columns);
    expect(found()).toEqual(all(two));
    loops.affineTwo(xAt, yAt, by, BITS.zero, to, rows, columns);
    expect(found()).toEqual(all((i) => floored(two(i))));
    loops.rectify(yAt, xAt, to, size);
    expect(found()).toEqual(all((i) => (heap[x + i]! > 0 ? heap[y + i]! : 0)));
    const expected = all((i) => (heap[x + i]! > 0 ? heap[y + i]! : 0));
    loops.rectify(yAt, xAt, yAt, size);
    expect([...heap.subarray(y, y + size)]).toEqual(expected);
  }
});

test("bytes are looked up, every so many of them", () => {
  const bytes = new Uint8Array(memory.buffer);
  bytes.set([9, 255, 8, 0, 7, 3], 4001);
  for (let byte = 0; byte < 256; byte++) heap[byte + 1] = byte / 4;
  heap.fill(-1, 600, 610);
  loops.lookUp(4001, 4, 2400, 2, 3);
  loops.lookUp(4002, 4, 2404, 2, 2);
  expect([...heap.subarray(600, 606)]).toEqual([9 / 4, 255 / 4, 8 / 4, 0, 7 / 4, -1]);
});

test("rows are copied with gaps between them", () => {
  heap.set(Array.from({ length: 20 }, (_, i) => i + 1));
  heap.fill(0, 100, 120);
  loops.copyRows(4, 12, 400, 20, 8, 3);
  expect([...heap.subarray(100, 113)]).toEqual([2, 3, 0, 0, 0, 5, 6, 0, 0, 0, 8, 9, 0]);
});

test("bytes are made zero, and none beside them", () => {
  heap.fill(1, 0, 20);
  loops.clear(8, 24);
  expect([...heap.subarray(0, 10)]).toEqual([1, 1, 0, 0, 0, 0, 0, 0, 1, 1]);
});

test("sums of two arrays, into one of them too", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 23 }), fc.boolean(), (size, isInPlace) => {
      const [a, b] = [0, 1].map((seed) => Float32Array.from({ length: size }, (_, i) => Math.sin(seed + i * 12.9)));
      heap.set(a!, 0);
      heap.set(b!, 32);
      heap[96] = heap[size] = heap[64 + size] = 7;
      const to = isInPlace ? 0 : 64;
      loops.add(0, 128, to * 4, size);
      expect([...heap.subarray(to, to + size)]).toEqual([...a!.map((value, i) => value + b![i]!)]);
      expect(heap[to + size]).toBe(7);
    }),
  );
});

test("a matrix is turned", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }), (rows, columns) => {
      heap.set(Array.from({ length: rows * columns }, (_, i) => i));
      heap[128 + rows * columns] = -1;
      loops.transpose(0, 512, rows, columns);
      const turned = Array.from({ length: rows * columns }, (_, i) => (i % rows) * columns + Math.floor(i / rows));
      expect([...heap.subarray(128, 128 + turned.length)]).toEqual(turned);
      expect(heap[128 + rows * columns]).toBe(-1);
    }),
  );
});

test("sums in double precision keep what floats would lose", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 1, max: 7 }), (rows, columns) => {
      const values = Float32Array.from({ length: rows * columns }, (_, i) => (i % 3 === 0 ? 2 ** 24 : Math.sin(i)));
      heap.set(values);
      const doubles = new Float64Array(memory.buffer, 4096, columns + 1);
      doubles.fill(-1);
      loops.doubleSums(0, 4096, rows, columns);
      const sums = new Float64Array(columns);
      for (const [i, value] of values.entries()) sums[i % columns]! += value;
      expect([...doubles]).toEqual([...sums, -1]);
    }),
  );
});
