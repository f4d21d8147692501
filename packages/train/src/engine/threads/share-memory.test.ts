import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { shareMemory } from "./share-memory.ts";

async function stock(): Promise<Uint8Array> {
  const main = createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm");
  return readFile(join(dirname(main), "tfjs-backend-wasm-simd.wasm"));
}

test("one byte of the backend's module makes its memory a shared one", async () => {
  const module = await stock();
  const shared = shareMemory(module)!;
  const changed = [...module.keys()].filter((at) => module[at] !== shared[at]);
  expect(shared).toHaveLength(module.length);
  expect(changed).toHaveLength(1);
  expect([module[changed[0]!], shared[changed[0]!]]).toEqual([1, 3]);
});

test("any other bytes are left alone, without an error or an end", async () => {
  const start = (await stock()).subarray(0, 4000);
  const mutated = fc
    .tuple(fc.nat(start.length - 1), fc.integer({ min: 0, max: 255 }), fc.nat(start.length))
    .map(([at, byte, length]) => {
      const bytes = start.slice(0, length);
      if (at < length) bytes[at] = byte;
      return bytes;
    });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated), (bytes) => {
      const shared = shareMemory(bytes);
      if (shared === undefined) return;
      expect([...bytes.keys()].filter((at) => bytes[at] !== shared[at])).toHaveLength(1);
    }),
  );
});
