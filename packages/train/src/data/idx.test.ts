import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { isDistillateError } from "@distillate/bundle";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseIdx, readIdx, readIdxImages } from "./idx.ts";

function idx(shape: readonly number[], data: Uint8Array): Uint8Array {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.set([0, 0, 8, shape.length]);
  for (const [axis, size] of shape.entries()) header.writeUInt32BE(size, 4 + 4 * axis);
  return Buffer.concat([header, data]);
}

async function file(bytes: Uint8Array): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), "distillate-idx-")), "file");
  await writeFile(path, bytes);
  return path;
}

const images = idx([2, 2, 2], Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
const labels = idx([2], Uint8Array.of(1, 0));

test("reads images and labels, plain and gzipped", async () => {
  for (const pack of [(bytes: Uint8Array) => bytes, gzipSync]) {
    const read = await readIdxImages(await file(pack(images)), await file(pack(labels)), 2);
    expect(read).toMatchObject({ count: 2, shape: [2, 2, 1] });
    expect([...read.pixels]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect([...read.classes]).toEqual([1, 0]);
  }
});

test.each([
  ["idx-truncated", images.subarray(0, -1), labels],
  ["idx-truncated", images.subarray(0, 7), labels],
  ["idx-trailing", Buffer.concat([images, Buffer.of(0)]), labels],
  ["idx-magic", Buffer.from("<html>"), labels],
  ["idx-magic", Buffer.alloc(0), labels],
  ["idx-type", Buffer.concat([Buffer.of(0, 0, 0x0d), images.subarray(3)]), labels],
  ["idx-counts", images, idx([3], Uint8Array.of(0, 1, 0))],
  ["idx-label", images, idx([2], Uint8Array.of(0, 2))],
  ["idx-shape", labels, images],
  ["idx-gzip", Buffer.of(0x1f, 0x8b, 1, 2, 3), labels],
])("%s is one clear error", async (code, first, second) => {
  const read = async (): Promise<unknown> => readIdxImages(await file(first), await file(second), 2);
  await expect(read()).rejects.toMatchObject({ code });
});

test("a missing file is named", async () => {
  await expect(readIdx("/nowhere/train-images")).rejects.toMatchObject({
    code: "idx-missing",
    message: expect.stringContaining("/nowhere/train-images"),
  });
});

test("mutated bytes are read or refused, never worse", () => {
  fc.assert(
    fc.property(fc.nat(images.length), fc.nat(images.length - 1), fc.nat(255), (length, at, value) => {
      const mutated = Uint8Array.from(images.subarray(0, length));
      if (at < length) mutated[at] = value;
      try {
        parseIdx(mutated, "x");
      } catch (error) {
        expect(isDistillateError(error)).toBe(true);
      }
    }),
    { numRuns: 3_000 },
  );
});
