import "@tensorflow/tfjs-backend-cpu";
import type { PreprocessSpec } from "@distillate/bundle";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { normalizePixels, packedLength } from "../../data/fill-inputs.ts";
import { adam } from "../../optimizers/adam.ts";
import { imagesFromBytes, wordsOf } from "../images-from-bytes.ts";
import { fusesMultiplyAdd } from "../simd/fused-multiply-add.ts";
import { crossEntropyRows } from "../softmax-cross-entropy.ts";
import { trainBatchNorm } from "../train-batch-norm.ts";
import { loadWasm } from "../wasm.ts";
import { allTaps, turnedFilter } from "./turned-filter.ts";

beforeAll(async () => {
  await loadWasm();
});

const noise = (shape: number[], seed: number): tf.Tensor => tf.randomNormal(shape, 0, 1, "float32", seed);

/** Largest difference of each result between the wasm and the cpu backend, relative to that result's largest value. */
async function worstDifference(compute: () => tf.Tensor[]): Promise<number> {
  const results: Float32Array[][] = [];
  for (const backend of ["cpu", "wasm"]) {
    await tf.setBackend(backend);
    results.push(tf.tidy(() => compute().map((tensor) => tensor.dataSync<"float32">().slice())));
  }
  const [expected, found] = results as [Float32Array[], Float32Array[]];
  return Math.max(
    ...expected.map((values, i) => {
      const size = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
      return values.reduce((most, value, k) => Math.max(most, Math.abs(value - found[i]![k]!) / size), 0);
    }),
  );
}

const square = (tensor: tf.Tensor): tf.Scalar => tf.sum(tf.square(tensor));
type Four = tf.Tensor4D;

describe.each([1, 2, 3, 5])("kernel %i", (kernel) => {
  describe.each(["same", "valid", 1] as const)("padding %s", (padding) => {
    test.each([1, 2])(
      "stride %i: convolution, depthwise (multiplier 1 and 2) and max pooling, odd and even sizes",
      async (stride) => {
        for (const [size, channels] of [
          [7, 4],
          [8, 4],
          [7, 6],
        ] as const) {
          const worst = await worstDifference(() => {
            const x = noise([3, size, size + 1, channels], 1) as Four;
            const rounding = padding === 1 ? ("floor" as const) : undefined;
            const conv = tf.grads((a, f) =>
              square(tf.conv2d(a as Four, f as Four, stride, padding, "NHWC", 1, rounding)),
            );
            const depthwise = tf.grads((a, f) =>
              square(tf.depthwiseConv2d(a as Four, f as Four, stride, padding, "NHWC", 1, rounding)),
            );
            const pool = tf.grad((a) => square(tf.maxPool(a as Four, Math.max(2, kernel), stride, padding, rounding)));
            return [
              ...conv([x, noise([kernel, kernel, channels, 5], 2)]),
              ...depthwise([x, noise([kernel, kernel, channels, 1], 3)]),
              ...depthwise([x, noise([kernel, kernel, channels, 2], 4)]),
              pool(x),
            ];
          });
          expect(worst).toBeLessThanOrEqual(1e-5);
        }
      },
    );
  });
});

test.each([2, 3])("dilation %i equals a filter with zeros between its taps", async (dilation) => {
  // tfjs' own gradient refuses dilation before it asks for a kernel, so the kernels are called by name.
  await tf.setBackend("wasm");
  tf.tidy(() => {
    const x = noise([2, 11, 10, 3], 1) as Four;
    const f = noise([3, 3, 3, 1], 2) as Four;
    const size = 2 * dilation + 1;
    const taps = Array.from(
      { length: size * size },
      (_, i) => (i % size) % dilation === 0 && Math.floor(i / size) % dilation === 0,
    );
    let next = 0;
    const sparse = tf.concat(
      taps.map((tap) => (tap ? tf.slice(tf.reshape(f, [9, 3]), [next++, 0], [1, 3]) : tf.zeros([1, 3]))),
    );
    const dy = noise([2, 11, 10, 3], 3);
    const run = (name: string, inputs: object, attrs: object): tf.Tensor =>
      tf.engine().runKernel(name, inputs as tf.NamedTensorMap, attrs as never);
    const [filterName, inputName] = [
      "DepthwiseConv2dNativeBackpropFilter",
      "DepthwiseConv2dNativeBackpropInput",
    ] as const;
    const dense = { strides: 1, pad: "same", dilations: 1 };
    const dilated = { ...dense, dilations: [dilation, dilation] };

    const wide = run(filterName, { x, dy }, { ...dense, filterShape: [size, size, 3, 1] }).dataSync();
    const kept = taps.flatMap((tap, i) => (tap ? [...wide.slice(i * 3, i * 3 + 3)] : []));
    const found = run(filterName, { x, dy }, { ...dilated, filterShape: f.shape }).dataSync();
    for (const [i, value] of kept.entries()) expect(found[i]).toBeCloseTo(value, 4);

    const sparsely = run("Conv2DBackpropFilter", { x, dy }, { ...dense, filterShape: [size, size, 3, 3] }).dataSync();
    const taken = taps.flatMap((tap, i) => (tap ? [...sparsely.slice(i * 9, i * 9 + 9)] : []));
    const convolved = run("Conv2DBackpropFilter", { x, dy }, { ...dilated, filterShape: [3, 3, 3, 3] }).dataSync();
    for (const [i, value] of taken.entries()) expect(convolved[i]).toBeCloseTo(value, 4);

    const expected = run(
      inputName,
      { dy, filter: tf.reshape(sparse, [size, size, 3, 1]) },
      { ...dense, inputShape: x.shape },
    ).dataSync();
    const input = run(inputName, { dy, filter: f }, { ...dilated, inputShape: x.shape }).dataSync();
    for (const [i, value] of expected.entries()) expect(input[i]).toBeCloseTo(value, 4);
  });
});

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
    const tiles = [
      tf.tile(noise([3, 1, 1, 5], 10), [1, 2, 3, 1]),
      tf.tile(noise([3, 1, 5], 11), [2, 2, 1]),
      tf.tile(noise([3, 1, 5], 12), [1, 2, 2]),
      tf.tile(noise([1, 4], 13), [6, 1]),
      tf.tile(noise([4], 14), [3]),
    ];
    return [...products.flat(), table, ...norm, ...sums, ...tiles];
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

test("convolutions of all numbers of filters, with bias and activation or without, strided, dilated and rounded up", async () => {
  const x = noise([2, 9, 8, 3], 1) as Four;
  const worst = await worstDifference(() =>
    [2, 4, 10, 15].flatMap((filters) => {
      const f = noise([3, 3, 3, filters], filters) as Four;
      const bias = noise([filters], 3);
      const fused = (["linear", "relu", "relu6", "elu"] as const).map((activation) =>
        tf.fused.conv2d({ x, filter: f, strides: 1, pad: "same", bias, activation }),
      );
      const alpha = tf.fused.conv2d({
        ...{ x, filter: f, strides: 1, pad: "same", bias, activation: "prelu" },
        preluActivationWeights: noise([filters], 4),
      });
      return [
        ...fused,
        alpha,
        tf.fused.conv2d({ x, filter: f, strides: 2, pad: "valid", activation: "relu" }),
        tf.conv2d(x, f, 1, "same", "NHWC", [2, 1]),
        tf.conv2d(x, f, 1, "same", "NHWC", [1, 2]),
        // The stock kernel, which has fewer than four filters, does not round up.
        ...(filters < 4 ? [] : [tf.conv2d(x, f, 2, 1, "NHWC", 1, "ceil")]),
        tf.conv2d(x, noise([1, 1, 3, filters], 5) as Four, 1, "valid"),
        tf.conv2d(x, noise([1, 1, 3, filters], 5) as Four, 1, 1, "NHWC", 1, "floor"),
      ];
    }),
  );
  expect(worst).toBeLessThanOrEqual(1e-5);
});

test("depthwise convolutions of all numbers of channels, with bias and activation or without, strided and dilated", async () => {
  const worst = await worstDifference(() =>
    [2, 4, 10, 15].flatMap((channels) => {
      const x = noise([2, 9, 8, channels], 1) as Four;
      const filter = noise([3, 3, channels, 1], channels) as Four;
      const bias = noise([channels], 3);
      const fused = (["linear", "relu", "relu6", "elu"] as const).map((activation) =>
        tf.fused.depthwiseConv2d({ x, filter, strides: 1, pad: "same", bias, activation }),
      );
      return [
        ...fused,
        tf.fused.depthwiseConv2d({ x, filter, strides: 2, pad: "valid", activation: "relu" }),
        tf.depthwiseConv2d(x, filter, 1, "same", "NHWC", [2, 2]),
        tf.depthwiseConv2d(x, filter, 2, 2, "NHWC", 1, "floor"),
        tf.depthwiseConv2d(x, noise([5, 2, channels, 1], 4) as Four, 1, "same"),
        tf.depthwiseConv2d(x, noise([3, 3, channels, 2], 5) as Four, 1, "same"),
      ];
    }),
  );
  expect(worst).toBeLessThanOrEqual(1e-5);
});

test("images of more lines than stay near, and windows that lie in the padding alone", async () => {
  const worst = await worstDifference(() => {
    const [x, f] = [noise([2, 20, 33, 24], 1), noise([3, 3, 24, 17], 2)];
    const large = tf.grads((a, b) => square(tf.conv2d(a as Four, b as Four, 1, "same")))([x, f]);
    const pool = tf.grad((a) => square(tf.maxPool(a as Four, 2, 1, 3, "floor")))(noise([2, 4, 4, 6], 3));
    return [...large, pool];
  });
  expect(worst).toBeLessThanOrEqual(1e-5);
});

test("gradients of max pooling by two: windows that cover everything, leave an edge out or overlap, channels off four", async () => {
  const shapes = [
    [3, 8, 6, 4],
    [3, 9, 7, 4],
    [3, 8, 7, 8],
    [3, 8, 6, 6],
  ];
  const cases = [
    [2, "valid"],
    [2, "same"],
    [3, "valid"],
    [1, "valid"],
    [[2, 1], "valid"],
  ] as const;
  const worst = await worstDifference(() =>
    shapes.flatMap((shape, i) =>
      cases.map(([stride, padding]) =>
        tf.grad((x) => square(tf.maxPool(x as Four, 2, stride as number | [number, number], padding)))(
          noise(shape, 1 + i),
        ),
      ),
    ),
  );
  expect(worst).toBe(0);
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

test("what a convolution cannot do is an error: channels first, filters larger than the image, a bias for each pixel", async () => {
  await tf.setBackend("wasm");
  const [x, f] = [tf.ones([1, 4, 8, 8]) as Four, tf.ones([3, 3, 4, 8]) as Four];
  expect(() => tf.conv2d(x, f, 1, "same", "NCHW")).toThrow(/dataFormat/);
  const small = tf.ones([1, 3, 3, 4]) as Four;
  expect(() => tf.conv2d(small, tf.ones([5, 5, 4, 8]) as Four, 1, "valid")).toThrow(
    /5 by 5 does not fit into an image of 3 by 3/,
  );
  const bias = tf.ones([3, 3, 8]);
  expect(() => tf.fused.conv2d({ x: small, filter: f, strides: 1, pad: "same", bias })).toThrow(/rank-1 bias/);
});

test("the engine's version says whether products are added unrounded", async () => {
  expect((await loadWasm()).endsWith(".fma")).toBe(fusesMultiplyAdd());
});

test("finite differences agree with the convolution's gradients", async () => {
  await tf.setBackend("wasm");
  tf.tidy(() => {
    const x = noise([1, 5, 6, 2], 1) as Four;
    const f = noise([3, 3, 2, 3], 2) as Four;
    const value = (filter: Four): number => tf.sum(tf.sin(tf.conv2d(x, filter, 2, "same"))).dataSync()[0]!;
    const gradient = tf
      .grad((filter) => tf.sum(tf.sin(tf.conv2d(x, filter as Four, 2, "same"))))(f)
      .dataSync();
    for (const place of [0, 17, 31, 53]) {
      const step = 1e-2;
      const moved = (by: number): Four => {
        const values = f.dataSync().slice();
        values[place]! += by;
        return tf.tensor4d(values, f.shape);
      };
      const slope = (value(moved(step)) - value(moved(-step))) / (2 * step);
      expect(slope).toBeCloseTo(gradient[place]!, 2);
    }
  });
});

test.each([1, 7, 64])(
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

test("batch normalisation in training and its gradient are the composed ones, channels off four and a mean far from zero too", async () => {
  for (const [shape, shift] of [
    [[5, 6, 7, 3], 0],
    [[4, 9, 9, 16], 3],
    [[40, 21], -2],
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

test.each([1, 30, 32])("the rectifier hands gradients on where its output is positive: %i values", (size) => {
  const x = tf.tensor1d(Float32Array.from({ length: size }, (_, i) => (i % 3) - 1));
  const found = tf.grad((input) => tf.sum(tf.mul(tf.relu(input), tf.range(1, size + 1))))(x);
  expect([...found.dataSync()]).toEqual(Array.from({ length: size }, (_, i) => (i % 3 === 2 ? i + 1 : 0)));
});

test.each([
  [3, 5, 2, 7],
  [1, 1, 4, 3],
  [4, 2, 1, 1],
])(
  "a filter of %i by %i is turned as it is by stock kernels, all of it or some taps",
  (height, width, channels, filters) => {
    const filter = noise([height, width, channels, filters], 3) as Four;
    const backend = tf.backend() as BackendWasm;
    for (const taps of [allTaps(filter.shape), { rows: [height - 1], columns: [0, width - 1] }]) {
      const found = turnedFilter(backend, filter, taps);
      const picked = [taps.rows, taps.columns].reduce(
        (kept, places, axis) => tf.gather(kept, tf.tensor1d([...places], "int32"), axis),
        filter as tf.Tensor,
      );
      const expected = tf.transpose(tf.reverse(picked, [0, 1]), [0, 1, 3, 2]);
      expect(found.shape).toEqual(expected.shape);
      expect(found.dataSync()).toEqual(expected.dataSync());
    }
  },
);

test("a number for each channel is added as the cpu backend adds it, to the bit; other additions are as they were", async () => {
  const pairs = [
    [[2, 3, 5, 9], [9]],
    [[300, 4], [4]],
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
