import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import * as tfl from "@tensorflow/tfjs-layers";
import { onnx as schema } from "onnx-proto";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { beforeAll, describe, expect, test } from "vitest";
import { exportModel } from "./export.ts";
import type { ModelArtifacts } from "./lower/artifacts.ts";
import { foldBatchNorm } from "./passes/fold-batch-norm.ts";

beforeAll(async () => {
  await tf.setBackend("cpu");
});

const { layers } = tfl;

async function artifactsOf(model: tfl.LayersModel): Promise<ModelArtifacts> {
  // Fresh batch norms are the identity; move every weight so that a fault shows.
  model.setWeights(
    model.getWeights().map((w, i) => tf.add(tf.abs(tf.randomNormal(w.shape, 0, 0.3, "float32", i + 1)), 0.05)),
  );
  let saved: tf.io.ModelArtifacts | undefined;
  await model.save(
    tf.io.withSaveHandler(async (artifacts) => {
      saved = artifacts;
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } };
    }),
  );
  return {
    modelTopology: saved!.modelTopology as object,
    weightSpecs: saved!.weightSpecs!,
    weightData: new Uint8Array(tf.io.CompositeArrayBuffer.join(saved!.weightData!)),
  };
}

/** Largest difference between tfjs and onnxruntime, relative to the outputs' size, at both optimisation levels. */
async function difference(model: tfl.LayersModel): Promise<number> {
  const { onnx } = exportModel(await artifactsOf(model), { name: "test" });
  const [height, width, channels] = model.inputs[0]!.shape.slice(1) as [number, number, number];
  const image = tf.randomNormal([3, height, width, channels], 0, 1, "float32", 7) as tf.Tensor4D;
  const expected = (model.predict(image) as tf.Tensor).dataSync();
  const nchw = tf.transpose(image, [0, 3, 1, 2]).dataSync() as Float32Array;
  const size = Math.max(1, ...expected.map(Math.abs));
  let worst = 0;
  for (const graphOptimizationLevel of ["disabled", "all"] as const) {
    const session = await InferenceSession.create(onnx, { graphOptimizationLevel, logSeverityLevel: 3 });
    const output = await session.run({ input: new Tensor("float32", nchw, [3, channels, height, width]) });
    const found = output[session.outputNames[0]!]!.data as Float32Array;
    expect(found.length).toBe(expected.length);
    for (const [i, value] of expected.entries()) worst = Math.max(worst, Math.abs(value - found[i]!) / size);
  }
  return worst;
}

const sequential = (...list: tfl.layers.Layer[]): tfl.Sequential => tfl.sequential({ layers: list });

describe.each([7, 8])("size %i", (size) => {
  describe.each([1, 2])("stride %i", (strides) => {
    test.each(["same", "valid"] as const)(
      "%s: convolution, depthwise, pooling, batch norm, flatten",
      async (padding) => {
        const model = sequential(
          layers.conv2d({
            inputShape: [size, size + 1, 3],
            filters: 5,
            kernelSize: 3,
            strides,
            padding,
            activation: "relu",
          }),
          layers.depthwiseConv2d({ kernelSize: 2, depthMultiplier: 2, padding, useBias: false }),
          layers.batchNormalization(),
          layers.activation({ activation: "relu6" }),
          layers.maxPooling2d({ poolSize: 2, strides: 1, padding }),
          layers.averagePooling2d({ poolSize: [1, 2], strides: [1, 1], padding: "same" }),
          layers.flatten(),
          layers.dropout({ rate: 0.5 }),
          layers.dense({ units: 6, activation: "tanh" }),
          layers.dense({ units: 4, useBias: false }),
          layers.softmax(),
        );
        expect(await difference(model)).toBeLessThanOrEqual(1e-5);
      },
    );
  });
});

test("branches: a residual block, a concatenation, global pooling", async () => {
  const input = tfl.input({ shape: [9, 8, 4] });
  const conv = layers
    .conv2d({ filters: 4, kernelSize: 3, padding: "same", dilationRate: 2 })
    .apply(input) as tfl.SymbolicTensor;
  const sum = layers
    .add()
    .apply([input, layers.batchNormalization({ scale: false }).apply(conv) as tfl.SymbolicTensor]);
  const joined = layers.concatenate().apply([layers.reLU().apply(sum) as tfl.SymbolicTensor, conv]);
  const pooled = layers.globalAveragePooling2d({}).apply(joined);
  const model = tfl.model({ inputs: input, outputs: layers.dense({ units: 3 }).apply(pooled) as tfl.SymbolicTensor });
  expect(await difference(model)).toBeLessThanOrEqual(1e-5);
});

test("the file: no Transpose, batch norm folded, typed and named, equal bytes; an independent decoder reads it", async () => {
  const artifacts = await artifactsOf(
    sequential(
      layers.conv2d({ inputShape: [8, 8, 1], filters: 4, kernelSize: 3, useBias: false, name: "stem" }),
      layers.batchNormalization({ name: "stem_bn" }),
      layers.reLU({ name: "stem_relu" }),
      layers.flatten({ name: "flat" }),
      layers.dense({ units: 2, name: "logits" }),
    ),
  );
  const first = exportModel(artifacts, { name: "student" });
  expect(Buffer.compare(first.onnx, exportModel(artifacts, { name: "student" }).onnx)).toBe(0);
  const model = schema.ModelProto.decode(first.onnx);
  expect(model.graph!.node!.map(({ opType, name }) => `${opType} ${name}`)).toEqual([
    "Conv stem",
    "Relu stem_relu",
    "Flatten flat",
    "Gemm logits",
  ]);
  expect([Number(model.irVersion), Number(model.opsetImport![0]!.version)]).toEqual([8, 17]);
  expect(model.graph!.valueInfo!.map(({ name }) => name)).toEqual(["stem_bn", "stem_relu", "flat"]);
  expect(first.report.passes.filter(({ changed }) => changed)).toEqual([
    { name: "fold-batch-norm", nodesBefore: 5, nodesAfter: 4, changed: true },
  ]);
  expect(foldBatchNorm(first.graph)).toBe(first.graph);
});

test("a layer that cannot be expressed is named, with the way out", async () => {
  const steps = sequential(
    layers.masking({ inputShape: [4, 2] }),
    layers.simpleRNN({ units: 2, recurrentInitializer: "zeros", name: "steps" }),
  );
  const masked = await artifactsOf(steps);
  expect(() => exportModel(masked, { name: "x" })).toThrow(
    "layer steps (SimpleRNN) cannot be exported: it reads a mask",
  );
  const other = {
    ...masked,
    modelTopology: JSON.parse(JSON.stringify(masked.modelTopology).replace("Masking", "Made")),
  };
  expect(() => exportModel(other, { name: "x" })).toThrow(/layer masking_Masking\d+ \(Made\) cannot be exported/);
});

test("the core runs in browsers: no file of it imports anything of Node", () => {
  const root = new URL(".", import.meta.url).pathname;
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((file) =>
    /^[^.]+\.ts$/.test(file.split("/").at(-1)!),
  );
  expect(files.length).toBeGreaterThan(30);
  const guilty = files.filter((file) =>
    /from "(node:|fs|path|buffer)|\bBuffer\b|\bprocess\./.test(readFileSync(join(root, file), "utf8")),
  );
  expect(guilty).toEqual([]);
});
