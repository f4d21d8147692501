import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { DType } from "./graph.ts";
import { ELEMENT_BYTES, permute, permuteTensor } from "./tensor.ts";

const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 5 }).chain((shape) =>
  fc.record({
    shape: fc.constant(shape),
    order: fc.shuffledSubarray([...shape.keys()], { minLength: shape.length, maxLength: shape.length }),
  }),
);

test("axes are reordered as tfjs does it, whatever the type and wherever the bytes begin", () => {
  const types = fc.constantFrom<DType>("float32", "int32", "int64", "float16", "bool");
  fc.assert(
    fc.property(shapes, types, fc.nat(3), ({ shape, order }, dtype, offset) => {
      const count = shape.reduce((product, size) => product * size, 1);
      const width = ELEMENT_BYTES[dtype];
      const all = Uint8Array.from({ length: offset + count * width }, (_, i) => i % 251);
      const found = permuteTensor({ dtype, shape, bytes: all.subarray(offset) }, order);
      const places = tf.transpose(tf.reshape(tf.range(0, count), shape), order);
      expect(found.shape).toEqual(places.shape);
      const wanted = [...places.dataSync()].flatMap((i) => [
        ...all.subarray(offset + i * width, offset + (i + 1) * width),
      ]);
      expect([...found.bytes]).toEqual(wanted);
    }),
    { seed: 5, numRuns: 500 },
  );
});

test("floats keep their source", () => {
  const values = Float32Array.of(1, 2, 3, 4, 5, 6);
  expect(permute(values, [2, 3], [1, 0])).toEqual(Float32Array.of(1, 4, 2, 5, 3, 6));
  expect(values).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6));
});
