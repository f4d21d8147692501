import { expect, test } from "vitest";
import { packRight, unpackRight } from "./right-bits.ts";

test("bits come back as they went, and a text of another length is none", () => {
  for (const count of [1, 8, 9, 1000]) {
    const right = Array.from({ length: count }, (_, i) => i % 3 !== 0);
    expect(unpackRight(packRight(right), count)).toEqual(right);
    expect(unpackRight(packRight(right), count + 8)).toBeUndefined();
  }
});
