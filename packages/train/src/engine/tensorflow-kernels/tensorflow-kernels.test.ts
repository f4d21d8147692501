import type { PreprocessSpec } from "@distillate/bundle";
import * as tf from "@tensorflow/tfjs-core";
import { layers } from "@tensorflow/tfjs-layers";
import { beforeAll, describe, expect, test } from "vitest";
import { normalizePixels, packedLength } from "../../data/fill-inputs.ts";
import { FusedBatchNorm } from "../../models/fused-batch-norm.ts";
import { imagesFromBytes, wordsOf } from "../images-from-bytes.ts";
import { seededUniform } from "../seeded-uniform.ts";
import { selectEngine } from "../select.ts";
import { crossEntropyRows } from "../softmax-cross-entropy.ts";
import { engineStatus } from "../status.ts";

process.execArgv.push("--import", "tsx", "--conditions=@distillate/source");
const { ok, detail } = await engineStatus("tensorflow");
/** The one matrix of a product, and the other. */
const TRANSPOSED = [
  [false, false],
  [true, false],
  [false, true],
  [true, true],
] as const;

describe.skipIf(!ok)(`fused kernels${ok ? "" : ` (${detail})`}`, () => {
  beforeAll(async () => {
    await selectEngine({ engine: "tensorflow" });
  });

  const filled = (shape: number[], scale = 1, phase = 0): tf.Tensor =>
    tf.tensor(
      Float32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => scale * Math.sin(i * 1.37 + phase)),
      shape,
    );
  /** Largest difference, relative to the largest expected value. */
  const apart = (found: tf.Tensor, expected: tf.Tensor): number => {
    const values = expected.dataSync<"float32">();
    const size = Math.max(...values.map(Math.abs));
    return (
      found.dataSync<"float32">().reduce((most, value, i) => Math.max(most, Math.abs(value - values[i]!)), 0) / size
    );
  };

  test.each([
    ["relu", tf.relu, (x: tf.Tensor) => tf.cast(tf.greater(x, 0), "float32")],
    ["relu6", tf.relu6, (x: tf.Tensor) => tf.cast(tf.logicalAnd(tf.greater(x, 0), tf.less(x, 6)), "float32")],
  ] as const)("%s: value and gradient, the corners included", (_name, rectify, slope) => {
    tf.tidy(() => {
      const corners = tf.tile(tf.tensor2d([0, 6, -0, 6.5, -1], [1, 5]), [1, 10]);
      const x = tf.concat([filled([4, 50], 9), corners]);
      const dy = filled([5, 50], 1, 2);
      const { value, grad } = tf.valueAndGrad((each) => rectify(each))(x, dy);
      expect(apart(value, tf.clipByValue(x, 0, _name === "relu" ? 1e9 : 6))).toBe(0);
      expect(apart(grad, tf.mul(dy, slope(x)))).toBe(0);
    });
  });

  test.each([
    ["whole words", [4, 4, 3]],
    ["a word that is not full", [5, 3, 3]],
    ["one channel", [3, 3, 1]],
  ] as const)("images from bytes are those that the preprocessing makes: %s", (_name, shape) => {
    const [height, width, channels] = shape;
    const centre = {
      scale: 1 / 255,
      mean: [0.4, 0.5, 0.6].slice(0, channels),
      std: [0.2, 0.3, 0.25].slice(0, channels),
    };
    const preprocess: PreprocessSpec = {
      ...{ kind: "image", height, width, channels, fit: "stretch", layout: "nhwc" },
      ...centre,
    };
    const bytes = Uint8Array.from({ length: 7 * packedLength(shape) }, (_, i) => 255 - ((i * 37) % 256));
    tf.tidy(() => {
      const images = imagesFromBytes(wordsOf(bytes, 7), preprocess);
      expect(images.shape).toEqual([7, ...shape]);
      expect(apart(images, tf.tensor(normalizePixels(bytes, shape, preprocess), images.shape))).toBeLessThan(3e-7);
    });
  });

  test("a bias and its gradient, and a sum that is none", () => {
    tf.tidy(() => {
      const [x, bias, dy] = [filled([3, 4, 5, 6]), filled([6], 1, 1), filled([3, 4, 5, 6], 1, 2)];
      const { value, grads } = tf.valueAndGrads((a, b) => tf.add(a, b))([x, bias], dy);
      expect(apart(value, tf.sub(x, tf.neg(bias)))).toBeLessThan(1e-6);
      expect(apart(grads[0]!, dy)).toBe(0);
      expect(apart(grads[1]!, tf.sum(dy, [0, 1, 2]))).toBeLessThan(1e-6);
      const [down] = tf.grads((a, b) => tf.add(a, b))([filled([6, 1]), filled([6])], filled([6, 6]));
      expect(apart(down!, tf.sum(filled([6, 6]), 1, true))).toBeLessThan(1e-6);
    });
  });

  test.each(TRANSPOSED)("the product of two matrices, transposed %s and %s", (a, b) => {
    tf.tidy(() => {
      const [x, y] = [filled(a ? [7, 5] : [5, 7]), filled(b ? [6, 7] : [7, 6], 1, 1)];
      const [left, right] = [a ? tf.transpose(x) : x, b ? tf.transpose(y) : y];
      const expected = tf.sum(tf.mul(tf.expandDims(left, 2), tf.expandDims(right, 0)), 1);
      expect(apart(tf.matMul(x, y, a, b), expected)).toBeLessThan(1e-6);
      const batched = tf.matMul(tf.stack([x, x]), tf.stack([y, y]), a, b);
      expect(apart(tf.unstack(batched)[1]!, expected)).toBeLessThan(1e-6);
    });
  });

  test.each(TRANSPOSED)(
    "a dense layer in one op with its gradients, transposed %s and %s",
    (transposeA, transposeB) => {
      tf.tidy(() => {
        const a = filled(transposeA ? [7, 5] : [5, 7]);
        const b = filled(transposeB ? [6, 7] : [7, 6], 1, 1);
        const bias = filled([6], 1, 2) as tf.Tensor1D;
        const sum = tf.add(tf.matMul(a, b, transposeA, transposeB), bias);
        const options = { transposeA, transposeB };
        const expected = { linear: sum, relu: tf.relu(sum), relu6: tf.relu6(sum), elu: tf.elu(sum) };
        for (const activation of ["linear", "relu", "relu6", "elu"] as const) {
          const found = tf.fused.matMul({ ...options, a, b, bias, activation });
          expect(apart(found, expected[activation])).toBeLessThan(1e-6);
        }
        const whole = tf.fused.matMul({ ...options, a, b, bias: filled([5, 6], 1, 3) });
        expect(apart(whole, tf.add(tf.sub(sum, bias), filled([5, 6], 1, 3)))).toBeLessThan(1e-6);
        expect(apart(tf.fused.matMul({ ...options, a, b }), tf.sub(sum, bias))).toBeLessThan(1e-6);
        const batch = tf.fused.matMul({ ...options, a: tf.stack([a, a]), b: tf.stack([b, b]), bias });
        expect(apart(tf.unstack(batch)[1]!, sum)).toBeLessThan(1e-6);

        const square = (y: tf.Tensor): tf.Scalar => tf.sum(tf.square(y)) as tf.Scalar;
        const slopes = tf.grads((x, y, z) => square(tf.fused.matMul({ ...options, a: x, b: y, bias: z })));
        const composed = tf.grads((x, y, z) => square(tf.add(tf.matMul(x, y, transposeA, transposeB), z)));
        for (const shape of [[6], [5, 6], [1, 1, 6]]) {
          const inputs = [a, b, filled(shape, 1, 4)];
          const [found, wanted] = [slopes(inputs), composed(inputs)];
          for (const [i, slope] of found.entries()) expect(apart(slope, wanted[i]!)).toBeLessThan(1e-5);
        }
      });
    },
  );

  test.each([1, 4])("cross-entropy with soft targets at temperature %i: losses and slopes", (temperature) => {
    tf.tidy(() => {
      const logits = tf.div(filled([6, 5], 8), temperature) as tf.Tensor2D;
      const target = tf.softmax(filled([6, 5], 3, 1)) as tf.Tensor2D;
      const { losses, slopes } = crossEntropyRows(logits, target);
      const logs = tf.logSoftmax(logits);
      expect(apart(losses, tf.neg(tf.sum(tf.mul(target, logs), 1)))).toBeLessThan(1e-6);
      expect(apart(slopes, tf.sub(tf.exp(logs), target))).toBeLessThan(1e-6);
    });
  });

  test("gather takes slices along any axis, and refuses an index that is out of range", () => {
    tf.tidy(() => {
      const x = filled([4, 5]);
      const [first, last] = [tf.slice(x, [0, 1], [4, 1]), tf.slice(x, [0, 3], [4, 1])];
      expect(apart(tf.gather(x, tf.tensor1d([1, 3], "int32"), 1), tf.concat([first, last], 1))).toBe(0);
      expect(() => tf.gather(x, tf.tensor1d([4], "int32"))).toThrow(/not in \[0, 4\)/);
    });
  });

  test("numbers of a seed and a step: the same again, others for another step or seed, uniform", () => {
    const draw = (seed: number, step: number): readonly number[] =>
      tf.tidy(() => [...seededUniform([100, 50], seed, tf.scalar(step, "int32")).dataSync()]);
    const one = draw(5, 1);
    expect(draw(5, 1)).toEqual(one);
    const mean = one.reduce((sum, value) => sum + value, 0) / one.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.02);
    expect(Math.min(...one)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...one)).toBeLessThan(1);
    for (const other of [draw(5, 2), draw(6, 1)]) {
      const same = one.filter((value, i) => value > 0.5 === other[i]! > 0.5).length;
      expect(Math.abs(same / one.length - 0.5)).toBeLessThan(0.05);
    }
  });

  test.each([
    ["maps", [8, 5, 4, 6]],
    ["rows", [16, 6]],
  ])("batch normalisation of %s: value, gradients and moving averages are the stock layer's", (_name, shape) => {
    const x = tf.add(tf.mul(filled(shape), 3), 1);
    const dy = filled(shape, 1, 2);
    const [ours, stock] = [new FusedBatchNorm({ momentum: 0.7 }), layers.batchNormalization({ momentum: 0.7 })].map(
      (layer) => {
        layer.build(shape);
        layer.setWeights([filled([6], 1, 3), filled([6], 1, 4), filled([6], 1, 5), tf.add(filled([6]), 2)]);
        const variables = layer.trainableWeights.map((weight) => weight.read() as tf.Variable);
        const { value, grads } = tf.variableGrads(
          () => tf.sum(tf.mul(layer.call(x, { training: true }) as tf.Tensor, dy)) as tf.Scalar,
          variables,
        );
        const input = tf.grad((each) => layer.call(each, { training: true }) as tf.Tensor)(x, dy);
        return [value, input, ...variables.map(({ name }) => grads[name]!), ...layer.getWeights()];
      },
    );
    expect(ours).toHaveLength(8);
    for (const [i, expected] of stock!.entries()) expect(apart(ours![i]!, expected), `number ${i}`).toBeLessThan(2e-6);
  });

  test("a gradient of batch normalisation of which only a part is asked for leaves no tensor", async () => {
    const layer = new FusedBatchNorm({});
    layer.build([4, 3]);
    const [, beta] = layer.trainableWeights.map((weight) => weight.read() as tf.Variable);
    const x = filled([4, 3]);
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      tf.variableGrads(() => tf.sum(layer.call(x, { training: true }) as tf.Tensor) as tf.Scalar, [beta!]);
    });
    await Promise.resolve();
    expect(tf.memory().numTensors).toBe(before);
  });

  test("batch normalisation is the stock layer's where it does not train", () => {
    const layer = new FusedBatchNorm({ name: "bn" });
    layer.build([4, 3]);
    const x = filled([4, 3]);
    expect(apart(layer.call(x, { training: false }) as tf.Tensor, tf.div(x, Math.sqrt(1.001)))).toBeLessThan(1e-6);
    expect(layer.getClassName()).toBe("BatchNormalization");
    expect(layer.getConfig()).toEqual(layers.batchNormalization({ name: "bn" }).getConfig());
  });
});
