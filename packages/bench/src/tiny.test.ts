import { expect, test } from "vitest";
import { tinyResult, tinyTaskFor } from "./tiny.ts";

test("a model is recognised by its shapes, channels first or last", () => {
  expect(tinyTaskFor([3, 32, 32], 10)?.name).toBe("image classification");
  expect(tinyTaskFor([32, 32, 3], 10)?.name).toBe("image classification");
  expect(tinyTaskFor([1, 49, 10], 12)?.name).toBe("keyword spotting");
  expect(tinyTaskFor([640], 640)?.name).toBe("anomaly detection");
  expect(tinyTaskFor([1, 28, 28], 10)).toBeUndefined();
  expect(tinyTaskFor([3, 32, 32], 100)).toBeUndefined();
});

test("the median window counts, and quality is held against the target; never official", () => {
  const task = tinyTaskFor([3, 32, 32], 10)!;
  expect(tinyResult(task, [5, 1, 3, 2, 4], 0.84)).toMatchObject({
    inferencesPerSecond: 3,
    passed: false,
    official: false,
  });
  expect(tinyResult(task, [5], 0.85).passed).toBe(true);
  expect(tinyResult(task, [5], undefined)).not.toHaveProperty("passed");
});
