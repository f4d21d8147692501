import fc from "fast-check";
import { expect, test } from "vitest";
import { instantiateColumnSums, type WasmMemory } from "./column-sums.ts";

declare const WebAssembly: { readonly Memory: new (limits: { readonly initial: number }) => WasmMemory };

const memory = new WebAssembly.Memory({ initial: 2 });
const loops = instantiateColumnSums(memory);
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
