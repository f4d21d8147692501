import { execFileSync } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDistillateError } from "@distillate/bundle";
import fc from "fast-check";
import { expect, test } from "vitest";
import { openNpy, parseNpyHeader } from "./npy-file.ts";

const npy = (header: string, values: Uint8Array = new Uint8Array(), version = 1): Uint8Array => {
  const text = new TextEncoder().encode(`${header}\n`);
  const length = version === 1 ? [text.length & 255, text.length >> 8] : [text.length & 255, text.length >> 8, 0, 0];
  return Uint8Array.from([0x93, ...new TextEncoder().encode("NUMPY"), version, 0, ...length, ...text, ...values]);
};
const header = (type: string, shape: string, order = "False"): string =>
  `{'descr': '${type}', 'fortran_order': ${order}, 'shape': (${shape}), }`;

async function fileOf(bytes: Uint8Array): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), "distillate-npy-")), "a.npy");
  await writeFile(path, bytes);
  return path;
}

test("rows of each type, from any place, fewer at the end", async () => {
  const floats = Float32Array.from([1, 2, 3, 4, 5, 6]);
  const file = await openNpy(await fileOf(npy(header("<f4", "3, 2"), new Uint8Array(floats.buffer))));
  expect(file.shape).toEqual([3, 2]);
  expect([...(await file.rows(1, 1))]).toEqual([3, 4]);
  expect([...(await file.rows(2, 5))]).toEqual([5, 6]);
  expect([...(await file.rows(3, 5))]).toEqual([]);
  await file.close();

  const ids = BigInt64Array.from([7n, -1n]);
  const other = await openNpy(await fileOf(npy(header("<i8", "2,"), new Uint8Array(ids.buffer), 2)));
  expect([...(await other.rows(0, 2))]).toEqual([7n, -1n]);
  await other.close();
});

test.each([
  ["another order", npy(header("<f4", "1,", "True"), new Uint8Array(4)), /Fortran order/],
  ["a type it doesn't know", npy(header("<c8", "1,"), new Uint8Array(8)), /type <c8/],
  ["no axis", npy(header("<f4", ""), new Uint8Array(4)), /shape/],
  ["a size beyond all files", npy(header("<f4", "99999999999999999999, 9")), /shape/],
  ["fewer values than it says", npy(header("<f4", "3,"), new Uint8Array(8)), /bytes, expected/],
  ["a version to come", npy(header("<f4", "1,"), new Uint8Array(4), 9), /version 9/],
  ["nothing in it", new Uint8Array(), /no .npy header/],
])("a file with %s is refused", async (_name, bytes, message) => {
  await expect(openNpy(await fileOf(bytes))).rejects.toMatchObject({
    code: "npy-invalid",
    message: expect.stringMatching(message),
  });
});

test("no bytes do worse than an error by name", () => {
  const valid = npy(header("<f4", "3, 2"), new Uint8Array(24));
  const changed = fc
    .array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 6 })
    .map((changes) => changes.reduce((bytes, [at, value]) => bytes.with(at, value), valid));
  fc.assert(
    fc.property(fc.oneof(changed, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      try {
        const { shape, start } = parseNpyHeader(bytes, "a.npy");
        expect(shape.every((side) => side >= 0)).toBe(true);
        expect(start).toBeLessThanOrEqual(bytes.length);
      } catch (error) {
        expect(isDistillateError(error)).toBe(true);
      }
    }),
    { numRuns: 2000 },
  );
});

const hasNumpy = (() => {
  try {
    execFileSync("python3", ["-c", "import numpy"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

test.skipIf(!hasNumpy)("what numpy.save writes (needs Python with numpy)", async () => {
  const path = await fileOf(new Uint8Array());
  execFileSync("python3", [
    "-c",
    `import numpy; numpy.save(${JSON.stringify(path)}, numpy.arange(12, dtype="u1").reshape(4, 3))`,
  ]);
  const file = await openNpy(path);
  expect(file).toMatchObject({ type: "|u1", shape: [4, 3] });
  expect([...(await file.rows(3, 1))]).toEqual([9, 10, 11]);
  await file.close();
});
