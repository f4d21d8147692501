import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { loadWasm } from "../wasm.ts";
import { noise, square, worstDifference } from "./against-cpu.test.cases.ts";
import { allTaps, turnedFilter } from "./turned-filter.ts";

beforeAll(async () => {
  await loadWasm();
});

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

test("max pooling of whole numbers is refused, as by the stock kernel", async () => {
  await tf.setBackend("wasm");
  const x = tf.zeros([1, 4, 4, 4], "int32") as Four;
  expect(() => tf.maxPool(x, 2, 2, "valid")).toThrow("only float32");
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

test("gradients of a filter that is larger than a part, from fewer and more images than there are groups", async () => {
  for (const images of [3, 19]) {
    const worst = await worstDifference(() =>
      tf.grads((x, f) => square(tf.conv2d(x as Four, f as Four, 1, "same")))([
        noise([images, 4, 5, 40], 1),
        noise([3, 3, 40, 60], 2),
      ]),
    );
    expect(worst).toBeLessThanOrEqual(1e-5);
  }
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

test("input gradients of windows that lie in the padding are zero", async () => {
  await tf.setBackend("wasm");
  const run = (name: string, dyShape: number[], filter: number[], attrs: object): Float32Array =>
    tf.tidy(() => {
      const inputs = { dy: tf.ones(dyShape), filter: tf.ones(filter) };
      return (tf.engine().runKernel(name, inputs, attrs as never) as tf.Tensor).dataSync<"float32">();
    });
  const [ceil, floor] = [{ dimRoundingMode: "ceil" }, { dimRoundingMode: "floor" }];
  const depthwise = { strides: 2, pad: 1, dilations: 1, inputShape: [2, 1, 1, 3], ...ceil };
  const found = run("DepthwiseConv2dNativeBackpropInput", [2, 1, 2, 3], [3, 1, 3, 1], depthwise);
  expect([...found]).toEqual(new Array(6).fill(0));
  const ordinary = { strides: [3, 1], pad: 3, dilations: 3, inputShape: [2, 4, 3, 5], ...floor };
  const zeros = run("Conv2DBackpropInput", [2, 4, 9, 5], [1, 1, 5, 5], ordinary);
  // Windows of one pixel, three apart: two rows of them lie in the image.
  expect([...zeros]).toEqual(Array.from({ length: 120 }, (_, i) => (Math.floor((i % 60) / 15) % 3 === 0 ? 5 : 0)));
});

test("what a convolution cannot do is an error: channels first, filters larger than the image, a bias for each pixel", async () => {
  await tf.setBackend("wasm");
  const [x, f] = [tf.ones([1, 4, 8, 8]) as Four, tf.ones([3, 3, 4, 8]) as Four];
  expect(() => tf.conv2d(x, f, 1, "same", "NCHW")).toThrow(/dataFormat/);
  const small = tf.ones([1, 3, 3, 4]) as Four;
  const tooLarge = /5 by 5 does not fit into an image of 3 by 3/;
  expect(() => tf.conv2d(small, tf.ones([5, 5, 4, 8]) as Four, 1, "valid")).toThrow(tooLarge);
  expect(() => tf.conv2d(small, tf.ones([5, 5, 4, 3]) as Four, 1, "valid")).toThrow(tooLarge);
  expect(() => tf.depthwiseConv2d(small, tf.ones([5, 5, 4, 1]) as Four, 1, "valid")).toThrow(tooLarge);
  const bias = tf.ones([3, 3, 8]);
  expect(() => tf.fused.conv2d({ x: small, filter: f, strides: 1, pad: "same", bias })).toThrow(/rank-1 bias/);
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
