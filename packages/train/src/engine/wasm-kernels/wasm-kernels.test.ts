import type { PreprocessSpec } from "@distillate/bundle";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { normalizePixels, packedLength } from "../../data/fill-inputs.ts";
import { adam } from "../../optimizers/adam.ts";
import { sgd } from "../../optimizers/sgd.ts";
import { imagesFromBytes, wordsOf } from "../images-from-bytes.ts";
import { fusesMultiplyAdd } from "../simd/fused-multiply-add.ts";
import { crossEntropyRows } from "../softmax-cross-entropy.ts";
import { trainBatchNorm } from "../train-batch-norm.ts";
import { loadWasm } from "../wasm.ts";
import { noise, square, worstDifference } from "./against-cpu.test.cases.ts";

beforeAll(async () => {
  await loadWasm();
});

type Four = tf.Tensor4D;

test("dense layers, embeddings, batch norm, sums and means", async () => {
  const worst = await worstDifference(() => {
    const products = [false, true].flatMap((ta) =>
      [false, true].map((tb) =>
        tf.grads((a, b) => square(tf.matMul(a, b, ta, tb)))([noise([6, 6], 1), noise([6, 6], 2)]),
      ),
    );
    const table = tf.grad((t) => square(tf.gather(t, tf.tensor1d([0, 2, 2, 4], "int32"))))(noise([5, 3], 3));
    const norm = tf.grads((x, mean, variance, offset, scale) =>
      square(
        tf.batchNorm(
          x as Four,
          mean as tf.Tensor1D,
          variance as tf.Tensor1D,
          offset as tf.Tensor1D,
          scale as tf.Tensor1D,
        ),
      ),
    )([noise([2, 3, 3, 4], 4), noise([4], 5), tf.abs(noise([4], 6)), noise([4], 7), noise([4], 8)]);
    const x = noise([4, 5, 6, 7], 9);
    const sums = [[0, 1, 2], [0], [1, 2], [2], [0, 2], [3], [2, 3], [0, 1, 2, 3]].flatMap((axis) => [
      tf.sum(x, axis),
      tf.sum(x, axis, true),
      tf.mean(x, axis),
      tf.mean(x, axis, true),
      ...[false, true].map((keep) => tf.grad((a) => square(tf.mean(a, axis, keep)))(x)),
    ]);
    // Several blocks and parts of each.
    const long = [1, 0].map((axis) => tf.sum(noise(axis === 1 ? [3, 700, 30] : [4000, 9], 15), axis));
    const tiles = [
      tf.tile(noise([3, 1, 1, 5], 10), [1, 2, 3, 1]),
      tf.tile(noise([3, 1, 5], 11), [2, 2, 1]),
      tf.tile(noise([3, 1, 5], 12), [1, 2, 2]),
      tf.tile(noise([1, 4], 13), [6, 1]),
      tf.tile(noise([4], 14), [3]),
    ];
    const none = tf.grad((a) => tf.sum(tf.mean(a, 0)))(tf.ones([0, 4]));
    return [...products.flat(), table, ...norm, ...sums, ...long, ...tiles, none];
  });
  expect(worst).toBeLessThanOrEqual(1e-5);
});

test("products of matrices of all sizes of tile, transposed or not, alone in a batch, and beyond what is added as outer products", async () => {
  const sizes: readonly (readonly [number, number, number])[] = [
    [5, 7, 3],
    [1, 13, 9],
    [6, 4, 1],
    [9, 70, 600],
    // Too many columns, or too few, to be read where they lie.
    [5, 400, 700],
    [6, 9, 3],
    // Of several parts each way.
    [300, 200, 60],
    // Of nothing.
    [2, 0, 3],
    [2, 0, 5],
  ];
  const worst = await worstDifference(() =>
    sizes.flatMap(([rows, inner, columns]) =>
      [false, true].flatMap((ta) =>
        [false, true].flatMap((tb) => {
          const a = noise(ta ? [inner, rows] : [rows, inner], 1);
          const b = noise(tb ? [columns, inner] : [inner, columns], 2);
          return [
            tf.matMul(a, b, ta, tb),
            tf.matMul(tf.expandDims(a), b, ta, tb),
            tf.matMul(a, tf.expandDims(b), ta, tb),
          ];
        }),
      ),
    ),
  );
  expect(worst).toBeLessThanOrEqual(1e-5);
  const [a, b, bias] = [noise([5, 7], 1) as tf.Tensor2D, noise([7, 3], 2) as tf.Tensor2D, noise([3], 3)];
  const fused = await worstDifference(() =>
    (["linear", "relu", "elu"] as const).flatMap((activation) => [
      tf.fused.matMul({ a, b, bias, activation }),
      tf.fused.matMul({ a, b, activation }),
      // The stock kernel, which has the activations, adds the wrong biases to products of a transposed operand.
      ...(activation === "linear"
        ? [tf.fused.matMul({ a: tf.transpose(a), b, bias, activation, transposeA: true })]
        : []),
    ]),
  );
  expect(fused).toBeLessThanOrEqual(1e-5);
  expect(() => tf.matMul(noise([2, 3], 1), noise([4, 5], 2))).toThrow(/inner shapes/i);
  const whole = tf.ones([2, 2], "int32");
  expect(() => tf.matMul(whole, whole)).toThrow(/float32/);
});

test("cross-entropy of logits and its slopes are the composed ones, far apart logits and rows of one class too", async () => {
  const worst = await worstDifference(() =>
    [
      [64, 10, 3],
      [5, 2, 40],
      [3, 1, 1],
      [1, 1000, 8],
    ].flatMap(([rows, classes, scale], i) => {
      const logits = tf.mul(noise([rows!, classes!], 1 + i), scale!) as tf.Tensor2D;
      const { losses, slopes } = crossEntropyRows(logits, tf.softmax(noise([rows!, classes!], 9)) as tf.Tensor2D);
      return [losses, slopes];
    }),
  );
  expect(worst).toBeLessThanOrEqual(1e-5);
  const { losses, slopes } = crossEntropyRows(tf.tensor2d([[Number.NaN, 1]]), tf.tensor2d([[0, 1]]));
  expect([...losses.dataSync(), ...slopes.dataSync()]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
});

test.each([
  ["whole words", [4, 4, 3]],
  ["a word that is not full", [5, 3, 3]],
  ["one channel", [3, 3, 1]],
] as const)("images from bytes are those that the preprocessing makes, to the bit: %s", async (_name, shape) => {
  await tf.setBackend("wasm");
  const [height, width, channels] = shape;
  const preprocess: PreprocessSpec = {
    ...{ kind: "image", height, width, channels, fit: "stretch", layout: "nhwc", scale: 1 / 255 },
    ...{ mean: [0.4, 0.5, 0.6].slice(0, channels), std: [0.2, 0.3, 0.25].slice(0, channels) },
  };
  const bytes = Uint8Array.from({ length: 7 * packedLength(shape) }, (_, i) => 255 - ((i * 37) % 256));
  const images = imagesFromBytes(wordsOf(bytes, 7), preprocess);
  expect(images.shape).toEqual([7, ...shape]);
  expect(images.dataSync()).toEqual(normalizePixels(bytes, shape, preprocess));
});

test("the engine's version says whether products are added unrounded", async () => {
  expect((await loadWasm()).endsWith(".fma")).toBe(fusesMultiplyAdd());
});

test.each([1, 7, 64, 40_000])(
  "Adam's update in one pass, of %i weights, is the one composed of single operations",
  async (size) => {
    const rule = adam({ name: "adam", learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, weightDecay: 0 });
    const worst = await worstDifference(() => {
      const [weight, gradient, m] = [1, 2, 3].map((seed) => noise([size], seed)) as [tf.Tensor, tf.Tensor, tf.Tensor];
      const numbers = Object.fromEntries(
        Object.entries(rule.numbers(0.01, 3)).map(([name, value]) => [name, tf.scalar(value)]),
      );
      const slots = [m, tf.square(noise([size], 4))];
      const next = rule.update({ weight, gradient, slots, numbers });
      return [next.weight, ...next.slots];
    });
    expect(worst).toBeLessThanOrEqual(1e-7);
  },
);

test.each([7, 40_000])(
  "momentum's update in one pass, of %i weights, is the one composed of single operations",
  async (size) => {
    const rule = sgd({ name: "sgd", learningRate: 0.01, momentum: 0.9, weightDecay: 0 });
    const worst = await worstDifference(() => {
      const [weight, gradient, u] = [1, 2, 3].map((seed) => noise([size], seed)) as [tf.Tensor, tf.Tensor, tf.Tensor];
      const next = rule.update({ weight, gradient, slots: [u], numbers: { rate: tf.scalar(0.01) } });
      return [next.weight, ...next.slots];
    });
    expect(worst).toBeLessThanOrEqual(1e-7);
  },
);

test("batch normalisation in training and its gradient are the composed ones, channels off four and a mean far from zero too", async () => {
  for (const [shape, shift] of [
    [[5, 6, 7, 3], 0],
    [[4, 9, 9, 16], 3],
    [[40, 21], -2],
    [[40, 9, 9, 16], 1],
    [[1, 1, 1, 4], 1],
  ] as const) {
    const worst = await worstDifference(() => {
      const channels = shape.at(-1)!;
      const x = tf.add(tf.mul(noise([...shape], 1), 1.5), shift);
      const [scale, offset] = [tf.add(noise([channels], 2), 2), noise([channels], 3)] as [tf.Tensor, tf.Tensor];
      const weights = noise([...shape], 4);
      const normalize = (input: tf.Tensor, g: tf.Tensor, b: tf.Tensor): tf.Tensor => {
        const once = trainBatchNorm(input, g, b, 1e-3);
        if (once) return once.output;
        const { mean, variance } = tf.moments(input, [...shape.keys()].slice(0, -1));
        return tf.add(tf.mul(tf.div(tf.sub(input, mean), tf.sqrt(tf.add(variance, 1e-3))), g), b);
      };
      const gradients = tf.grads((input, g, b) => tf.sum(tf.mul(tf.square(normalize(input!, g!, b!)), weights)));
      const once = trainBatchNorm(x, scale, offset, 1e-3);
      const { mean, variance } = once ?? tf.moments(x, [...shape.keys()].slice(0, -1));
      return [normalize(x, scale, offset), mean, variance, ...gradients([x, scale, offset])];
    });
    expect(worst).toBeLessThanOrEqual(2e-5);
  }
});

test.each([1, 30, 32, 40_000])("the rectifier hands gradients on where its output is positive: %i values", (size) => {
  const x = tf.tensor1d(Float32Array.from({ length: size }, (_, i) => (i % 3) - 1));
  const found = tf.grad((input) => tf.sum(tf.mul(tf.relu(input), tf.range(1, size + 1))))(x);
  expect([...found.dataSync()]).toEqual(Array.from({ length: size }, (_, i) => (i % 3 === 2 ? i + 1 : 0)));
});

test("a number for each channel is added as the cpu backend adds it, to the bit; other additions are as they were", async () => {
  const pairs = [
    [[2, 3, 5, 9], [9]],
    [[300, 4], [4]],
    [[300, 400], [400]],
    [
      [200, 200],
      [200, 200],
    ],
    [[7, 1], [1]],
    [
      [2, 3],
      [2, 1],
    ],
    [[5], [5]],
    [[4], [3, 4]],
    [[0, 4], [4]],
    [
      [2, 3, 5, 9],
      [1, 1, 1, 9],
    ],
    [
      [2, 9],
      [1, 1, 9],
    ],
    [
      [1, 9],
      [9, 9],
    ],
  ] as const;
  const sums = () => pairs.map(([a, b], i) => tf.add(noise([...a], 1 + i), noise([...b], 10 + i)));
  expect(await worstDifference(sums)).toBe(0);
  const whole = tf.add(tf.tensor2d([[1, 2]], [1, 2], "int32"), tf.tensor1d([3, 4], "int32"));
  expect([whole.dtype, ...whole.dataSync()]).toEqual(["int32", 4, 6]);
});

test("a cast to the type that a tensor has shares its data, which lives as long as either", () => {
  const floats = tf.tensor1d([1.5, -2]);
  const cast = tf.engine().runKernel("Cast", { x: floats }, { dtype: "float32" }) as tf.Tensor;
  floats.dispose();
  expect([...cast.dataSync()]).toEqual([1.5, -2]);
  expect([...tf.cast(cast, "int32").dataSync()]).toEqual([1, -2]);
});
