/** Quantised weights against tfjs' own decoder. */
import "@tensorflow/tfjs-backend-cpu";
import { io } from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { readWeights, type WeightSpec } from "./artifacts.ts";

const specs = fc
  .array(
    fc.record({
      shape: fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 3 }),
      kind: fc.constantFrom("float32", "int32", "bool", "float16", "uint8", "uint16", "uint8 int32", "uint16 int32"),
      scale: fc.double({ min: 0.001, max: 4, noNaN: true }),
      min: fc.double({ min: -100, max: 100, noNaN: true }),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((list) =>
    list.map(({ shape, kind, scale, min }, i): WeightSpec => {
      const [stored, kept = "float32"] = kind.split(" ") as [string, string?];
      const name = `w${i}`;
      if (!/uint|float16/.test(stored)) return { name, shape, dtype: stored };
      if (stored === "float16") return { name, shape, dtype: "float32", quantization: { dtype: stored } };
      return { name, shape, dtype: kept, quantization: { dtype: stored, scale, min } };
    }),
  );

const SIZES: { readonly [type: string]: number } = { float32: 4, int32: 4, bool: 1, float16: 2, uint8: 1, uint16: 2 };

test("every type that a manifest may have is decoded as tfjs does", () => {
  fc.assert(
    fc.property(specs, fc.infiniteStream(fc.integer({ min: 0, max: 255 })), (weightSpecs, stream) => {
      const sizes = weightSpecs.map(
        ({ shape, dtype, quantization }) => shape.reduce((a, b) => a * b, 1) * SIZES[quantization?.dtype ?? dtype]!,
      );
      const bytes = Uint8Array.from([...stream.take(sizes.reduce((a, b) => a + b, 0))]);
      const expected = io.decodeWeights(bytes.slice().buffer, weightSpecs as io.WeightsManifestEntry[]);
      const found = readWeights({ modelTopology: {}, weightSpecs, weightData: bytes });
      for (const { name } of weightSpecs) {
        const { dtype, shape, bytes: held } = found.get(name)!;
        const { buffer, byteOffset, byteLength } = expected[name]!.dataSync();
        expect({ dtype, shape }).toEqual({ dtype: expected[name]!.dtype, shape: expected[name]!.shape });
        expect(numbers(dtype, held)).toEqual(numbers(dtype, new Uint8Array(buffer, byteOffset, byteLength)));
      }
    }),
    { seed: 5, numRuns: 200 },
  );
});

/** Not bit by bit: there are many ways to write a number that is none. */
function numbers(dtype: string, bytes: Uint8Array): ArrayLike<number> {
  const { buffer } = bytes.slice();
  return dtype === "bool" ? bytes.slice() : dtype === "int32" ? new Int32Array(buffer) : new Float32Array(buffer);
}

test("strings and complex numbers are passed over, wherever they stand", () => {
  const text = [3, 0, 0, 0, 97, 98, 99, 0, 0, 0, 0];
  const weightSpecs = [
    { name: "labels", shape: [2], dtype: "string" },
    { name: "spectrum", shape: [1], dtype: "complex64" },
    { name: "w", shape: [], dtype: "float32" },
  ];
  const weightData = Uint8Array.from([
    ...text,
    ...new Array(8).fill(0),
    ...new Uint8Array(Float32Array.of(2.5).buffer),
  ]);
  const weights = readWeights({ modelTopology: {}, weightSpecs, weightData });
  expect([...weights.keys()]).toEqual(["w"]);
  expect(numbers("float32", weights.get("w")!.bytes)).toEqual(Float32Array.of(2.5));
});

test.each([
  [{ name: "w", shape: [-1], dtype: "float32" }, /has the shape \[-1\]/],
  [{ name: "w", shape: [1], dtype: "float64" }, /has type float64/],
  [{ name: "w", shape: [1], dtype: "float32", quantization: { dtype: "uint4" } }, /has type uint4/],
  [{ name: "w", shape: [1], dtype: "int32", quantization: { dtype: "float16" } }, /int32 as float16/],
  [{ name: "w", shape: [4], dtype: "float32", quantization: { dtype: "uint8" } }, /without a scale/],
  [{ name: "w", shape: [2 ** 40], dtype: "float32" }, /end at 4 bytes, within w/],
])("%j is refused", (spec, message) => {
  const read = (): unknown => readWeights({ modelTopology: {}, weightSpecs: [spec], weightData: new Uint8Array(4) });
  expect(read).toThrow(message);
});
