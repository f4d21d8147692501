import { isDistillateError, isPlainRelativePath } from "@distillate/bundle";
import fc from "fast-check";
import { zipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { openArchive } from "./archive.ts";

const names = fc.oneof(
  fc.stringMatching(/^[a-z]{1,8}(\/[a-z]{1,8}){0,2}\.[a-z]{1,4}$/),
  fc.constantFrom("../evil", "/etc/passwd", "a/../../b", "C:\\evil", "a\\b", "a//b", "./a", "..", "a/./b", "x\0y"),
);

/** Opens; gives the files, or checks that the refusal is ours. */
async function tryOpen(bytes: Uint8Array): Promise<ReadonlyMap<string, Uint8Array> | undefined> {
  try {
    const entries = openArchive("test.zip", bytes);
    return new Map(await Promise.all([...entries].map(async ([name, read]) => [name, await read()] as const)));
  } catch (error) {
    expect(isDistillateError(error) && error.code).toBe("archive-invalid");
    return undefined;
  }
}

describe("archive", () => {
  test("what was packed under plain names comes out as it was; one other name refuses all of it", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.tuple(names, fc.uint8Array({ maxLength: 300 })), {
          selector: ([name]) => name,
          maxLength: 6,
        }),
        async (list) => {
          const opened = await tryOpen(zipSync(Object.fromEntries(list)));
          if (list.every(([name]) => isPlainRelativePath(name))) expect(opened).toEqual(new Map(list));
          else expect(opened).toBeUndefined();
        },
      ),
    );
  });

  test("any other bytes are refused as what they are", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        expect((await tryOpen(bytes))?.size ?? 0).toBe(0);
      }),
    );
  });

  test("bytes changed or cut off anywhere: refused, or still only plain names", async () => {
    const whole = zipSync({
      "manifest.json": new TextEncoder().encode('{"format":"distillate-bundle"}'.repeat(20)),
      "student.onnx": Uint8Array.from({ length: 500 }, (_, i) => i),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 8 }),
        fc.integer({ min: 0, max: whole.length }),
        async (changes, length) => {
          const bytes = whole.slice();
          for (const [at, value] of changes) bytes[at] = value;
          for (const name of (await tryOpen(bytes.subarray(0, length)))?.keys() ?? []) {
            expect(isPlainRelativePath(name)).toBe(true);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test("sizes that an archive claims are held against the limits before anything is unpacked", async () => {
    const bytes = zipSync({ "a.bin": new Uint8Array(1000) });
    // The central directory's size before compression, at offset 24 of its entry.
    const view = new DataView(bytes.buffer);
    for (let at = 0; at < bytes.length - 4; at++) {
      if (view.getUint32(at, true) === 0x02014b50) view.setUint32(at + 24, 0xf0000000, true);
    }
    expect(() => openArchive("bomb.zip", bytes)).toThrow(/unpacks to more than/);
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`${i}.txt`, new Uint8Array(1)]));
    expect(() => openArchive("many.zip", zipSync(many))).toThrow(/more than 256 files/);
  });
});
