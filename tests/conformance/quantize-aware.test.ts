/** What a quantisation-aware student computes while it is trained is what its integer file computes in onnxruntime. */
import { compact, encodeModel, exportModel, quantize } from "@distillate/export";
import { artifactsOf, buildModel, type ModelConfig, quantizeAware, selectEngine } from "@distillate/train";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { nodeRunner } from "../fixtures/exported-models.ts";

beforeAll(async () => {
  await selectEngine({ engine: "wasm" });
});

const MODELS: readonly (readonly [ModelConfig, readonly [number, number, number]])[] = [
  [{ name: "cnn", filters: [4, 8], dense: 16, dropout: 0.2 }, [20, 20, 1]],
  [{ name: "ds-cnn", filters: 8, blocks: 2, dropout: 0 }, [25, 17, 1]],
  [{ name: "resnet-8", filters: 8, dropout: 0 }, [32, 32, 3]],
];

test.each(MODELS)("$name", async (config, shape) => {
  const model = buildModel(config, { shape, classes: 10, seed: 3 });
  // Statistics that are not where they begin.
  tf.tidy(() =>
    model.setWeights(
      model.getWeights().map((weight, i) => {
        const noise = tf.randomNormal(weight.shape, 0, 0.1, "float32", i + 1);
        return /variance/.test(model.weights[i]!.name) ? tf.add(weight, tf.abs(noise)) : tf.add(weight, noise);
      }),
    ),
  );
  const aware = quantizeAware(model);
  const images = tf.randomUniform([32, ...shape], -1, 1, "float32", 9) as tf.Tensor4D;
  tf.tidy(() => void aware.model.apply(images, { training: true }));
  const expected = tf.tidy(() =>
    (aware.model.apply(images, { training: false }) as tf.Tensor).dataSync<"float32">().slice(),
  );

  const { model: finished, ranges } = aware.finish();
  const { graph } = exportModel(await artifactsOf(finished), { name: "student" });
  const rules = ranges.map(({ layer, isInput, min, max }) => ({
    tensor: `^${isInput ? graph.inputs[0]!.name : layer}$`,
    calibrator: { kind: "given" as const, min, max },
  }));
  const [height, width, channels] = shape;
  const nchw = tf.tidy(() => tf.transpose(images, [0, 3, 1, 2]).dataSync<"float32">().slice());
  const feeds = {
    input: { dtype: "float32" as const, shape: [32, channels, height, width], bytes: new Uint8Array(nchw.buffer) },
  };
  const { graph: integer, report } = await quantize(graph, { rules }, { run: nodeRunner, samples: () => [feeds] });
  // Every range of the file is one that training has learnt.
  const measured = report.tensors.filter(({ reason }) => reason === "measured").map(({ tensor }) => tensor);
  expect(measured).toEqual([]);
  expect(report.tensors.filter(({ reason }) => reason === "given")).toHaveLength(ranges.length);

  const session = await nodeRunner(encodeModel(compact(integer), { producer: "test", producerVersion: "1" }));
  const found = new Float32Array((await session.run(feeds)).logits!.bytes.slice().buffer);
  const float = tf.tidy(() => (model.apply(images, { training: false }) as tf.Tensor).dataSync<"float32">().slice());
  const distance = (a: Float32Array, b: Float32Array): number =>
    Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0));
  // What is left between training and file: the bias is rounded there too, to a thousandth of a step, and in some places that
  // tips a value over to the next one. Two roundings that know nothing of each other would lie at 1.4.
  expect(distance(found, expected)).toBeLessThan(0.6 * distance(expected, float));
});
