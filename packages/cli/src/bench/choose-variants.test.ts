import type { TargetReport } from "@distillate/bench/node";
import { describe, expect, test } from "vitest";
import { chooseVariants } from "./choose-variants.ts";

/** A target that takes so many milliseconds, a little more or less from call to call. */
function target(model: string, milliseconds: number, bytes: number, over: Partial<TargetReport> = {}): TargetReport {
  const blocks = Array.from({ length: 16 }, (_, round) => ({
    round,
    samples: Array.from({ length: 8 }, (_s, i) => milliseconds * (1 + 0.01 * Math.sin(round * 8 + i))),
    batch: 1,
    milliseconds: 8 * milliseconds,
    calibration: [1, 1] as const,
    discarded: false,
  }));
  const summary = {
    n: 128,
    min: milliseconds,
    p50: milliseconds,
    max: milliseconds,
    mean: milliseconds,
    mad: 0,
    outliers: 0,
  };
  return {
    id: `${model}, ${over.runtime}`,
    model,
    runtime: "onnxruntime-node",
    place: "node",
    threads: 1,
    details: {},
    size: { bytes, brotliBytes: bytes, sha256: "" },
    latency: { blocks: blocks as never, summary },
    quality: { samples: 1000, accuracy: 0.98 },
    ...over,
  };
}
const options = { allowedDrop: 0.5, seed: 1 };
const chosen = (targets: readonly TargetReport[]): readonly (readonly [string, string])[] =>
  chooseVariants(targets, options).map(({ backend, variant }) => [backend, variant]);

test("the surely fastest; of equals the smallest; a faster one is not given up for bytes", () => {
  expect(chosen([target("fp32", 4, 400), target("int8", 2, 120), target("int8-weights", 4, 110)])).toEqual([
    ["node", "int8"],
  ]);
  expect(chosen([target("fp32", 4, 400), target("int8", 8, 120), target("int8-weights", 4, 110)])).toEqual([
    ["node", "int8-weights"],
  ]);
  expect(chosen([target("fp32", 4, 400), target("int8", 8, 120)])).toEqual([["node", "fp32"]]);
});

test("nothing is chosen that is slower than fp32 but for a tie, and the order of all is told", () => {
  // So noisy that the interval alone would let the small file pass.
  const noisy = target("int8", 4.4, 100);
  const blocks = noisy.latency!.blocks.map((block, i) => ({
    ...block,
    samples: block.samples.map((one) => one * (i % 3 === 0 ? 0.6 : 1.2)),
  }));
  const slow = { ...noisy, latency: { ...noisy.latency!, blocks } };
  const [choice] = chooseVariants([target("fp32", 4, 400), slow, target("fp16", 4.02, 200)], options);
  expect(choice).toMatchObject({ variant: "fp16" });
  expect(choice!.order.map(({ variant }) => variant)).toEqual(["fp32", "fp16", "int8"]);
  expect(choice!.order.map(({ speed: [estimate] }) => estimate >= 1 / 1.02)).toEqual([true, true, false]);
});

test("what loses too much accuracy is refused and named, however fast", () => {
  const bad = target("int8", 1, 100, { quality: { samples: 1000, accuracy: 0.97 } });
  const [choice] = chooseVariants([target("fp32", 4, 400), bad], options);
  expect(choice).toMatchObject({ variant: "fp32", refused: ["int8"], speed: [1, 1, 1], unsure: false });
  // Without labels agreement with the float file counts.
  const apart = target("int8", 1, 100, { quality: { samples: 1000, agreement: 0.99 } });
  const float = target("fp32", 4, 400, { quality: { samples: 1000 } });
  expect(chosen([float, apart])).toEqual([["node", "fp32"]]);
});

describe("backends", () => {
  const web = (model: string, milliseconds: number, place: "node" | "chromium"): TargetReport =>
    target(model, milliseconds, 100, { runtime: "onnxruntime-web-wasm", place });

  test("each by itself; a page stands for wasm before Node does", () => {
    const targets = [
      target("fp32", 4, 400),
      target("int8", 2, 100),
      web("fp32", 2, "node"),
      web("int8", 1, "node"),
      web("fp32", 1, "chromium"),
      web("int8", 2, "chromium"),
    ];
    expect(chosen(targets)).toEqual([
      ["node", "int8"],
      ["wasm", "fp32"],
    ]);
  });

  test("a software adapter and what failed are not measured at all", () => {
    const gpu = { runtime: "onnxruntime-web-webgpu", place: "chromium", details: { software: true } } as const;
    const problem = { code: "x", message: "x", hint: "x" };
    expect(
      chosen([target("fp32", 4, 400, gpu), target("int8", 1, 100, gpu), target("fp32", 1, 1, { problem })]),
    ).toEqual([]);
  });
});
