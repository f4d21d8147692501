/** The parts of streams that need no device. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createDetector } from "./debounce.ts";
import { createLatestOnly } from "./latest-only.ts";
import { createSmoother } from "./smooth.ts";
import { createWindows } from "./windows.ts";

describe("windows", () => {
  test("however the sound comes, the windows are those of the whole", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(50), { maxLength: 20 }),
        fc
          .integer({ min: 1, max: 40 })
          .chain((length) => fc.tuple(fc.constant(length), fc.integer({ min: 1, max: length }))),
        (pieces, [length, hop]) => {
          const total = pieces.reduce((sum, piece) => sum + piece, 0);
          const whole = Float32Array.from({ length: total }, (_, i) => i);
          const windows = createWindows(length, hop);
          let from = 0;
          const found = pieces.flatMap((piece) => {
            from += piece;
            return windows.push(whole.subarray(from - piece, from));
          });
          const expected: Float32Array[] = [];
          for (let at = 0; at + length <= total; at += hop) expected.push(whole.slice(at, at + length));
          expect(found).toEqual(expected);
        },
      ),
    );
  });

  test.each([
    [16, 0],
    [16, 17],
    [16, 1.5],
    [0, 0],
  ])("a window of %d with a hop of %d is refused", (length, hop) => {
    expect(() => createWindows(length, hop)).toThrow(/1 <= hop <= window/);
  });
});

describe("smoother", () => {
  test("the mean of the last ones, as many as there are", () => {
    const smoother = createSmoother(3);
    const rows = [
      [1, 0],
      [0, 1],
      [0, 0.5],
      [1, 1],
    ];
    const found = rows.map((row) => [...smoother.push(row)]);
    expect(found[0]).toEqual([1, 0]);
    expect(found[1]).toEqual([0.5, 0.5]);
    expect(found[2]![1]).toBeCloseTo(0.5, 6);
    expect(found[3]![0]).toBeCloseTo(1 / 3, 6);
  });

  test("probabilities stay probabilities", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(100), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 8 }),
        (shares, count) => {
          const smoother = createSmoother(count);
          for (const share of shares) {
            const [a, b] = smoother.push([share / 100, 1 - share / 100]) as unknown as [number, number];
            expect(a + b).toBeCloseTo(1, 5);
            expect(Math.min(a, b)).toBeGreaterThanOrEqual(-1e-6);
          }
        },
      ),
    );
  });
});

describe("detector", () => {
  test("a class is detected once in a rest, classes apart from each other", () => {
    const detector = createDetector({ threshold: 0.8, rest: 1000 });
    expect(detector.push(1, 0.79, 0)).toBe(false);
    expect(detector.push(1, 0.8, 100)).toBe(true);
    expect(detector.push(1, 0.99, 1099)).toBe(false);
    expect(detector.push(2, 0.9, 500)).toBe(true);
    expect(detector.push(1, 0.9, 1100)).toBe(true);
    expect(detector.push(3, Number.NaN, 2000)).toBe(false);
  });

  test("two detections of one class are never closer than the rest", () => {
    const stream = fc.array(fc.tuple(fc.nat(2), fc.nat(100), fc.nat(300)), { maxLength: 60 });
    fc.assert(
      fc.property(stream, (answers) => {
        const detector = createDetector({ threshold: 0.5, rest: 200 });
        const last = new Map<number, number>();
        let at = 0;
        for (const [index, percent, wait] of answers) {
          at += wait;
          if (!detector.push(index, percent / 100, at)) continue;
          expect(percent).toBeGreaterThanOrEqual(50);
          expect(at - (last.get(index) ?? Number.NEGATIVE_INFINITY)).toBeGreaterThanOrEqual(200);
          last.set(index, at);
        }
      }),
    );
  });
});

test("latest-only works on one at a time, ends with the newest, and counts what it dropped", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 40 }), async (script) => {
      const worked: number[] = [];
      const ends: (() => void)[] = [];
      const latest = createLatestOnly<number>((item) => {
        worked.push(item);
        expect(ends).toHaveLength(0);
        return new Promise<void>((resolve) => ends.push(resolve));
      });
      let pushed = 0;
      const endOne = async (): Promise<void> => {
        ends.shift()?.();
        await new Promise((resolve) => setImmediate(resolve));
      };
      for (const push of script) {
        if (push) latest.push(pushed++);
        else await endOne();
      }
      while (ends.length > 0) await endOne();
      expect(worked).toEqual([...worked].sort((a, b) => a - b));
      if (pushed > 0) expect(worked.at(-1)).toBe(pushed - 1);
      expect(worked.length + latest.dropped).toBe(pushed);
      await latest.stop();
    }),
  );
});
