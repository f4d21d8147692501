import type { Dataset, Engine } from "@distillate/train";
import { expect, test } from "vitest";
import { trainingSlots } from "./training-slots.ts";

const GB = 2 ** 30;
const slots = (name: Engine["name"], cores: number, free: number, bytes = 0, workers?: number): number => {
  const part = { count: 1, shape: [1, 1, 1], pixels: { length: bytes }, classes: new Uint16Array(1) } as unknown;
  const data = { train: part, test: part } as Dataset;
  return trainingSlots(
    { engine: { name, version: "0", refused: [] }, data, ...(workers && { workers }) },
    { cores, free },
  );
};

test("a process a core, as far as their memory is there, and never none", () => {
  expect(slots("wasm", 4, 64 * GB)).toBe(4);
  expect(slots("wasm", 16, 2 * GB)).toBe(3);
  expect(slots("wasm", 16, 2 * GB, GB / 4)).toBe(1);
  expect(slots("wasm", 16, 0)).toBe(1);
  expect(slots("tensorflow", 4, 64 * GB)).toBe(4);
  expect(slots("tensorflow", 16, 4 * GB)).toBe(3);
  expect(slots("tensorflow-gpu", 16, 64 * GB)).toBe(1);
  expect(slots("wasm", 8, 64 * GB, 0, 3)).toBe(2);
  expect(slots("wasm", 16, 2 * GB, 0, 4)).toBe(2);
  expect(slots("wasm", 16, 2 * GB, 0, 8)).toBe(1);
  expect(slots("wasm", 2, 64 * GB, 0, 4)).toBe(1);
});
