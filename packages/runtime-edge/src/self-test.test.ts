import type { Manifest } from "@distillate/bundle";
import { describe, expect, test } from "vitest";
import type { EngineInput, EngineOutput } from "./engine/engine.ts";
import { selfTest } from "./self-test.ts";

const MANIFEST = {
  inputs: [{ name: "input", dtype: "float32", shape: ["batch", 2] }],
  outputs: [{ name: "logits", dtype: "float32", shape: ["batch", 2] }],
  probe: { tolerance: { fp32: 0.01 } },
} as unknown as Manifest;
const PROBE = { samples: 2, inputs: Float32Array.of(1, 2, 3, 4), outputs: Float32Array.of(1, 2, 3, 4) };

/** An engine that changes what it is given. */
function engine(change: (values: Float32Array) => Float32Array) {
  return async (input: EngineInput): Promise<EngineOutput> => {
    const { data, dims } = (input as Extract<EngineInput, { kind: "tensors" }>).tensors.input!;
    return {
      outputs: { logits: { data: change(data as Float32Array), dims } },
      milliseconds: { prepare: 0, run: 2 },
    };
  };
}

describe("self-test", () => {
  test("an engine that computes rightly passes, and is timed", async () => {
    const report = await selfTest(
      engine((same) => same),
      MANIFEST,
      "fp32",
      PROBE,
    );
    expect(report).toEqual({ ok: true, samples: 2, difference: 0, tolerance: 0.01, median: 2 });
  });

  test.each([
    ["off by more than the tolerance", (values: Float32Array) => values.map((value) => value + 0.02)],
    ["not a number at the end", (values: Float32Array) => values.map((value, i) => (i === 3 ? Number.NaN : value))],
    ["not a number at the beginning", (values: Float32Array) => values.map((value, i) => (i ? value : Number.NaN))],
    ["infinite", () => new Float32Array(4).fill(Number.POSITIVE_INFINITY)],
    ["too few", (values: Float32Array) => values.slice(0, 2)],
    ["too many", (values: Float32Array) => Float32Array.of(...values, 0)],
  ])("outputs that are %s fail", async (_name, change) => {
    expect((await selfTest(engine(change), MANIFEST, "fp32", PROBE)).ok).toBe(false);
  });
});
