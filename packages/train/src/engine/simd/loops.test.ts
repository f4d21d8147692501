import fc from "fast-check";
import { expect, test } from "vitest";
import { instantiateLoops, type WasmMemory } from "./loops.ts";

declare const WebAssembly: { readonly Memory: new (limits: { readonly initial: number }) => WasmMemory };

const memory = new WebAssembly.Memory({ initial: 2 });
const loops = instantiateLoops(memory);
const heap = new Float32Array(memory.buffer);

test("sums and products down columns agree with plain loops, add to what is there and write nothing beside it", () => {
  const cases = fc.record({
    rows: fc.integer({ min: 0, max: 9 }),
    columns: fc.integer({ min: 0, max: 41 }),
    gap: fc.integer({ min: 0, max: 3 }),
    seed: fc.nat(999),
  });
  fc.assert(
    fc.property(cases, ({ rows, columns, gap, seed }) => {
      const stride = columns + gap;
      const [a, b, out] = [1, 1001, 2001];
      for (let i = 0; i < 3001; i++) heap[i] = Math.round(Math.sin(seed + i * 78.233) * 64);
      const start = heap.slice(0, 3001);
      const sum = (c: number, factor: (at: number) => number): number => {
        let total = start[out + c]!;
        for (let r = 0; r < rows; r++) total += start[a + r * stride + c]! * factor(b + r * stride + c);
        return total;
      };
      // Whole numbers this small add without rounding, so equality is exact.
      const row = stride * 4;
      for (const withB of [false, true]) {
        heap.set(start);
        if (withB) loops.dotColumns(a * 4, row, b * 4, row, out * 4, rows, columns);
        else loops.sumColumns(a * 4, row, out * 4, rows, columns);
        const expected = start.slice();
        for (let c = 0; c < columns; c++) expected[out + c] = sum(c, (at) => (withB ? start[at]! : 1));
        expect([...heap.subarray(0, 3001)]).toEqual([...expected]);
      }
    }),
    { numRuns: 100 },
  );
});

test("sums of outer products agree with plain loops for every size of tile", () => {
  const size = fc.integer({ min: 0, max: 21 });
  fc.assert(
    fc.property(size, size, fc.integer({ min: 0, max: 5 }), fc.nat(999), (p, q, rows, seed) => {
      const [a, b, out] = [1, 1001, 2001];
      for (let i = 0; i < 3001; i++) heap[i] = Math.round(Math.sin(seed + i * 78.233) * 64);
      const expected = heap.slice(0, 3001);
      for (let t = 0; t < rows; t++)
        for (let i = 0; i < p; i++)
          for (let j = 0; j < q; j++)
            expected[out + i * q + j]! += heap[a + t * (p + 3) + i]! * heap[b + t * (q + 1) + j]!;
      loops.outerSums(a * 4, (p + 3) * 4, p, b * 4, (q + 1) * 4, q, out * 4, rows);
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
      for (let i = 0; i < 3001; i++) heap[i] = Math.round(Math.sin(seed + i * 78.233) * 64);
      const expected = heap.slice(0, 3001);
      for (let i = 0; i < p; i++) {
        for (let j = 0; j < q; j++) {
          let sum = 0;
          for (let k = 0; k < columns; k++) sum += heap[a + i * columns + k]! * heap[b + j * columns + k]!;
          expected[out + i * q + j] = sum;
        }
      }
      loops.innerProducts(a * 4, p, b * 4, q, out * 4, columns);
      expect([...heap.subarray(0, 3001)]).toEqual([...expected]);
    }),
    { numRuns: 150 },
  );
});

test("each window's gradient goes to the first of its largest values, ties and edges included", () => {
  const cases = fc.record({
    height: fc.integer({ min: 1, max: 4 }),
    width: fc.integer({ min: 1, max: 4 }),
    channels: fc.constantFrom(4, 8, 12),
    values: fc.array(fc.integer({ min: -2, max: 2 }), { minLength: 300, maxLength: 300 }),
  });
  fc.assert(
    fc.property(cases, ({ height, width, channels, values }) => {
      const columns = width + 1;
      const [x, out, dy] = [1, 401, 801];
      heap.fill(0, 0, 900);
      for (let i = 0; i < height * columns * channels; i++) heap[x + i] = values[i % values.length]!;
      for (let c = 0; c < channels; c++) heap[dy + c] = c + 1;
      const expected = heap.slice(0, 900);
      for (let c = 0; c < channels; c++) {
        const places = Array.from({ length: height * width }, (_, i) => Math.floor(i / width) * columns + (i % width));
        const largest = Math.max(...places.map((place) => expected[x + place * channels + c]!));
        const first = places.find((place) => expected[x + place * channels + c] === largest)!;
        expected[out + first * channels + c] = c + 1;
      }
      loops.windowMaxima(x * 4, out * 4, dy * 4, columns * channels * 4, channels * 4, height, width, channels);
      expect(heap.slice(0, 900)).toEqual(expected);
    }),
  );
});
