import { expect, test } from "vitest";
import { makeBoardMemory, openBoard } from "./board.ts";

const sizes = { pixels: 101, trained: 33, own: 5, slots: 2, losses: 3, said: 7, workers: 3 };

test("no part of a board lies in another, and each begins a cache line", () => {
  const { pixels, said, states, findings, rooms, squares } = openBoard(makeBoardMemory(sizes), sizes);
  const parts = [pixels, said, ...states.flatMap(({ weights, slots }) => [weights, ...slots]), ...findings, ...rooms];
  const all = [...parts, ...squares];
  expect(all).toHaveLength(2 + 2 * 3 + 3 * 3);
  expect(all.every(({ byteOffset }) => byteOffset % 64 === 0)).toBe(true);
  const ends = all.map(({ byteOffset, byteLength }) => [byteOffset, byteOffset + byteLength] as const);
  for (const [i, [from, to]] of ends.entries()) {
    for (const [other, until] of ends.slice(i + 1)) expect(until <= from || to <= other).toBe(true);
  }
  expect([pixels.length, said.length, states[0].weights.length, findings[2]!.length]).toEqual([101, 7, 38, 41]);
});

test("more than there can be is an error that says how much", () => {
  expect(() => makeBoardMemory({ ...sizes, trained: 2 ** 30 })).toThrowError(
    expect.objectContaining({ code: "shared-memory-missing", message: expect.stringContaining("MB") }),
  );
});
