import fc from "fast-check";
import { expect, test } from "vitest";
import { parseNpy } from "./npy.ts";

/** A file as numpy.save writes it, version 1.0. */
function npy(header: string, values: Uint8Array): Uint8Array {
  const text = Buffer.from(`${header.padEnd(117)}\n`, "latin1");
  const prefix = Buffer.from("\x93NUMPY\x01\x00\x00\x00", "latin1");
  prefix.writeUInt16LE(text.length, 8);
  return Buffer.concat([prefix, text, values]);
}
const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const GOOD = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
const good = npy(GOOD, floats(1, 2, 3, 4, 5, 6));

test("rows one after the other, whatever the order in the file", () => {
  expect(parseNpy(good, "a")).toEqual({ shape: [2, 3], values: Float64Array.of(1, 2, 3, 4, 5, 6) });
  const turned = npy(GOOD.replace("False", "True"), floats(1, 4, 2, 5, 3, 6));
  expect(parseNpy(turned, "a").values).toEqual(Float64Array.of(1, 2, 3, 4, 5, 6));
});

test.each([
  ["another file", Buffer.from("PK\x03\x04 a zip of arrays"), /does not begin as a NumPy array/],
  ["a file cut short", good.subarray(0, good.length - 1), /has 23 bytes of values, expected 24 for 2 x 3/],
  ["a file cut within its header", good.subarray(0, 60), /announces a header of 118 bytes, and has 50/],
  ["bytes at the end", Buffer.concat([good, Buffer.of(0)]), /has 25 bytes of values/],
  ["objects", npy(GOOD.replace("<f4", "|O"), floats(1)), /values of type '\|O'/],
  [
    "more than fits",
    npy(GOOD.replace("2, 3", "99999999, 99999999"), floats(1)),
    /announces 99999999 x 99999999 values/,
  ],
  ["no shape", npy("{'descr': '<f4', 'fortran_order': False}", floats(1)), /expected descr, fortran_order and shape/],
  ["a version to come", Buffer.from(good).fill(9, 6, 7), /has version 9/],
])("refused by what is wrong with it: %s", (_what, bytes, message) => {
  expect(() => parseNpy(bytes, "a")).toThrowError(expect.objectContaining({ code: "npy-invalid" }));
  expect(() => parseNpy(bytes, "a")).toThrowError(message);
});

test("whatever bytes come, an array or one clear error", () => {
  const damaged = fc
    .array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 12 })
    .map((changes) => {
      const bytes = Uint8Array.from(good);
      for (const [at, byte] of changes) bytes[at] = byte;
      return bytes;
    });
  const header = fc.string({ maxLength: 100 }).map((text) => npy(text, floats(1)));
  fc.assert(
    fc.property(fc.oneof(damaged, header, fc.uint8Array({ maxLength: 300 })), (bytes) => {
      try {
        const { shape, values } = parseNpy(bytes, "a");
        expect(values.length).toBe(shape.reduce((product, dim) => product * dim, 1));
      } catch (error) {
        expect(error).toMatchObject({ code: "npy-invalid" });
      }
    }),
    { numRuns: 2000 },
  );
});
