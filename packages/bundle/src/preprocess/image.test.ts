import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fitImage, type ImagePreprocess, type Pixels, preprocessImage } from "./image.ts";

const spec = (over: Partial<ImagePreprocess> = {}): ImagePreprocess => ({
  kind: "image",
  width: 4,
  height: 4,
  channels: 1,
  fit: "stretch",
  scale: 1 / 255,
  mean: [0, 0, 0],
  std: [1, 1, 1],
  layout: "nhwc",
  ...over,
});

const image = (
  width: number,
  height: number,
  channels: 1 | 3 | 4,
  at: (x: number, y: number, c: number) => number,
): Pixels => ({
  width,
  height,
  channels,
  data: Uint8Array.from({ length: width * height * channels }, (_, i) =>
    at(Math.floor(i / channels) % width, Math.floor(i / channels / width), i % channels),
  ),
});

const side = fc.integer({ min: 1, max: 23 });

describe("resize", () => {
  test("the same size changes nothing", () => {
    fc.assert(
      fc.property(side, side, fc.uint8Array({ minLength: 23 * 23, maxLength: 23 * 23 }), (width, height, noise) => {
        const source = image(width, height, 1, (x, y) => noise[y * 23 + x]!);
        expect(fitImage(source, spec({ width, height }))).toEqual(source.data);
      }),
    );
  });

  test("a constant stays constant, whatever the sizes and the fit", () => {
    fc.assert(
      fc.property(
        side,
        side,
        side,
        side,
        fc.constantFrom("stretch" as const, "cover" as const),
        (w, h, width, height, fit) => {
          const result = fitImage(
            image(w, h, 3, () => 137),
            spec({ width, height, channels: 3, fit }),
          );
          expect(new Set(result)).toEqual(new Set([137]));
        },
      ),
    );
  });

  test("shrinking by a whole factor keeps the mean of a checkerboard: it is antialiased", () => {
    const result = fitImage(
      image(32, 32, 1, (x, y) => ((x + y) % 2) * 255),
      spec({ width: 8, height: 8 }),
    );
    for (const value of result) expect(Math.abs(value - 127.5)).toBeLessThanOrEqual(4);
  });

  test("mirroring before and after is the same, but for the rounding of ties", () => {
    fc.assert(
      fc.property(side, side, fc.uint8Array({ minLength: 23, maxLength: 23 }), (from, to, noise) => {
        const straight = fitImage(
          image(from, 1, 1, (x) => noise[x]!),
          spec({ width: to, height: 1 }),
        );
        const mirrored = fitImage(
          image(from, 1, 1, (x) => noise[from - 1 - x]!),
          spec({ width: to, height: 1 }),
        );
        // Sums of the same terms in another order may round a tie the other way.
        for (const [i, value] of mirrored.reverse().entries())
          expect(Math.abs(value - straight[i]!)).toBeLessThanOrEqual(1);
      }),
    );
  });

  test("doubling a step by hand: triangle weights 3/4 and 1/4 between pixel centres", () => {
    const result = fitImage(
      image(2, 1, 1, (x) => x * 200),
      spec({ width: 4, height: 1 }),
    );
    expect(Array.from(result)).toEqual([0, 50, 150, 200]);
  });
});

test("cover cuts the longer side evenly, contain pads it with black", () => {
  const wide = image(8, 4, 1, (x) => x * 10);
  expect(Array.from(fitImage(wide, spec({ fit: "cover" })).subarray(0, 4))).toEqual([20, 30, 40, 50]);
  const padded = fitImage(
    image(8, 4, 1, () => 9),
    spec({ fit: "contain" }),
  );
  expect(Array.from(padded)).toEqual([0, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9, 0, 0, 0, 0]);
});

test("channels: gray by BT.601, alpha ignored, gray repeated into RGB", () => {
  const red = image(4, 4, 4, (_x, _y, c) => [255, 0, 0, 3][c]!);
  expect(fitImage(red, spec())[0]).toBe(76);
  expect(Array.from(fitImage(red, spec({ channels: 3 })).subarray(0, 3))).toEqual([255, 0, 0]);
  expect(
    Array.from(
      fitImage(
        image(4, 4, 1, () => 7),
        spec({ channels: 3 }),
      ).subarray(0, 3),
    ),
  ).toEqual([7, 7, 7]);
});

test("normalisation and layout: nchw is nhwc transposed", () => {
  const noise = image(4, 4, 3, (x, y, c) => x * 16 + y * 4 + c);
  const normal = { channels: 3, mean: [0.1, 0.2, 0.3], std: [0.5, 0.25, 0.125] } as const;
  const nhwc = preprocessImage(noise, spec(normal));
  const nchw = preprocessImage(noise, spec({ ...normal, layout: "nchw" }));
  expect(nhwc[5]).toBeCloseTo(((1 * 16 + 2) / 255 - 0.3) / 0.125, 5);
  for (let i = 0; i < 16; i++) for (let c = 0; c < 3; c++) expect(nchw[c * 16 + i]).toBe(nhwc[i * 3 + c]);
});
