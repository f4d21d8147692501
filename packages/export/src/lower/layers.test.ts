/**
 * Every layer in generated configurations: tfjs `predict` against onnxruntime-node, optimisation disabled and all, and every tenth
 * case against onnxruntime-web. A failing case shrinks to the smallest configuration that fails.
 */
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js";
import * as tf from "@tensorflow/tfjs-core";
import * as tfl from "@tensorflow/tfjs-layers";
import fc from "fast-check";
import * as node from "onnxruntime-node";
import * as web from "onnxruntime-web";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exportModel } from "../export.ts";

const RUNS = 70;
const TOLERANCE = 1e-5;
const { layers } = tfl;
let cases = 0;

beforeAll(async () => {
  await tf.setBackend("cpu");
  web.env.wasm.numThreads = 1;
});

type Layer = tfl.layers.Layer;
type Shape = readonly number[];

/** A model of one layer (or a few) and what to feed it; integers stand for tokens. */
interface Case {
  readonly model: tfl.LayersModel;
  readonly tokens?: number;
}

async function artifactsOf(model: tfl.LayersModel): Promise<Parameters<typeof exportModel>[0]> {
  let saved: tf.io.ModelArtifacts | undefined;
  await model.save(
    tf.io.withSaveHandler(async (artifacts) => {
      saved = artifacts;
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } };
    }),
  );
  return {
    modelTopology: JSON.parse(JSON.stringify(saved!.modelTopology)) as object,
    weightSpecs: saved!.weightSpecs!,
    weightData: new Uint8Array(tf.io.CompositeArrayBuffer.join(saved!.weightData!)),
  };
}

/** Images change places on their way in and out, unless the model has its channels first itself. */
function outside(tensor: tf.Tensor, hasImages: boolean): { data: Float32Array; dims: Shape } {
  const lying = hasImages && tensor.rank === 4 ? tf.transpose(tensor, [0, 3, 1, 2]) : tensor;
  return { data: Float32Array.from(lying.dataSync()), dims: lying.shape };
}

/** `reference` stands in where tfjs' own layer cannot run. */
async function agrees(
  { model, tokens }: Case,
  opset: number,
  reference: (input: tf.Tensor) => tf.Tensor | tf.Tensor[] = (input) => model.predict(input),
): Promise<void> {
  cases++;
  // Fresh norms are the identity: move every weight so that a fault shows.
  model.setWeights(
    model.getWeights().map((w, i) => {
      const noise = tf.randomNormal(w.shape, 0, 0.4, "float32", i + 1);
      return model.weights[i]!.originalName.includes("variance") ? tf.add(tf.abs(noise), 0.1) : noise;
    }),
  );
  const inputs = model.inputs.map(({ shape }, i) => {
    const full = [2, ...shape.slice(1)] as number[];
    return tokens === undefined
      ? tf.randomNormal(full, 0, 1, "float32", 7 + i)
      : tf.floor(tf.randomUniform(full, 0, tokens, "float32", 7 + i));
  });
  const given = (inputs.length === 1 ? inputs[0]! : inputs) as tf.Tensor;
  const expected = [reference(given)].flat();
  const artifacts = await artifactsOf(model);
  const hasImages = !JSON.stringify(artifacts.modelTopology).includes("channels_first");
  const { onnx, graph } = exportModel(artifacts, { name: "case", opset });
  const feeds = inputs.map((input) => outside(input, hasImages));
  const wanted = expected.map((output) => outside(output, hasImages));
  const runs = [
    [node, "disabled"],
    [node, "all"],
    ...(cases % 10 === 0 ? ([[web as unknown as typeof node, "all"]] as const) : []),
  ] as const;
  for (const [{ InferenceSession, Tensor }, graphOptimizationLevel] of runs) {
    const session = await InferenceSession.create(onnx, { graphOptimizationLevel, logSeverityLevel: 3 });
    const found = await session.run(
      Object.fromEntries(
        graph.inputs.map(({ name }, i) => [name, new Tensor("float32", feeds[i]!.data, feeds[i]!.dims)]),
      ),
    );
    for (const [i, { name }] of graph.outputs.entries()) {
      const { data, dims } = found[name]!;
      expect(dims).toEqual(wanted[i]!.dims);
      const size = Math.max(1, ...wanted[i]!.data.map(Math.abs));
      const worst = wanted[i]!.data.reduce((most, value, k) => Math.max(most, Math.abs(value - Number(data[k]))), 0);
      expect(worst / size).toBeLessThanOrEqual(TOLERANCE);
    }
    await session.release();
  }
}

/** Shows a failing case by its model's configuration. */
const shown = (model: tfl.LayersModel): Case & fc.WithToStringMethod => ({
  model,
  [fc.toStringMethod]: () =>
    JSON.stringify(model.getConfig()).replace(/"\w+(Initializer|Regularizer|Constraint)":(null|\{[^}]*\}+),?/g, ""),
});
const sequential = (...list: Layer[]): Case => shown(tfl.sequential({ layers: list }));
const size = fc.integer({ min: 4, max: 9 });
const small = fc.integer({ min: 1, max: 3 });
const channels = fc.integer({ min: 1, max: 4 });
const padding = fc.constantFrom("same" as const, "valid" as const);
const dataFormat = fc.constantFrom("channelsLast" as const, "channelsFirst" as const);
const activation = fc.constantFrom(
  ...(["elu", "hardSigmoid", "linear", "relu", "relu6", "selu", "sigmoid", "softmax", "softplus", "softsign"] as const),
  ...(["tanh", "swish", "mish", "gelu", "gelu_new"] as const),
);
const onOff = fc.boolean();
const image = fc.record({ h: size, w: size, c: channels, dataFormat });
const shapeOf = ({ h, w, c, dataFormat: format }: { h: number; w: number; c: number; dataFormat: string }): number[] =>
  format === "channelsFirst" ? [c, h, w] : [h, w, c];
const recurrent = fc.record({
  steps: fc.integer({ min: 1, max: 5 }),
  features: channels,
  units: channels,
  activation: fc.constantFrom(
    "tanh" as const,
    "relu" as const,
    "sigmoid" as const,
    "elu" as const,
    "softsign" as const,
  ),
  recurrentActivation: fc.constantFrom("hardSigmoid" as const, "sigmoid" as const, "tanh" as const),
  useBias: onOff,
  returnSequences: onOff,
  goBackwards: onOff,
});
const tensorShape = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 });

/** A functional model of a layer with several inputs. */
function merged(layer: Layer, shapes: readonly Shape[]): Case {
  const inputs = shapes.map((shape) => tfl.input({ shape: [...shape] }));
  return shown(tfl.model({ inputs, outputs: layer.apply(inputs) as tfl.SymbolicTensor }));
}

/** Each family: an arbitrary, and the model made of what it gives. */
const FAMILIES: { readonly [name: string]: () => fc.Arbitrary<Case> } = {
  Activation: () =>
    fc
      .tuple(tensorShape, activation)
      .map(([inputShape, kind]) => sequential(layers.activation({ inputShape, activation: kind as "relu" }))),
  "advanced activations": () =>
    fc
      .tuple(tensorShape, fc.integer({ min: 0, max: 5 }), fc.float({ min: Math.fround(0.1), max: 2, noNaN: true }))
      .map(([inputShape, kind, alpha]) =>
        sequential(
          [
            (): Layer => layers.reLU({ inputShape, maxValue: alpha }),
            (): Layer => layers.leakyReLU({ inputShape, alpha }),
            (): Layer => layers.elu({ inputShape }),
            (): Layer => layers.thresholdedReLU({ inputShape, theta: alpha }),
            (): Layer => layers.prelu({ inputShape, sharedAxes: alpha > 1 ? [1] : (null as unknown as number) }),
            (): Layer => layers.softmax({ inputShape, axis: -1 }),
          ][kind]!(),
        ),
      ),
  Dense: () =>
    fc
      .tuple(tensorShape, channels, activation, onOff)
      .map(([inputShape, units, kind, useBias]) =>
        sequential(layers.dense({ inputShape, units, activation: kind as "relu", useBias })),
      ),
  "Flatten, Dense": () =>
    fc
      .tuple(image, channels)
      .map(([options, units]) =>
        sequential(
          layers.flatten({ inputShape: shapeOf(options), dataFormat: options.dataFormat }),
          layers.dense({ units }),
        ),
      ),
  "Flatten as output, Reshape, Permute, RepeatVector": () =>
    fc.tuple(image, fc.integer({ min: 0, max: 3 }), small).map(([{ h, w, c }, kind, n]) => {
      const inputShape = [h, w, c];
      const made = [
        (): Layer[] => [layers.flatten({ inputShape })],
        (): Layer[] => [layers.reshape({ inputShape, targetShape: [w, h * c] })],
        (): Layer[] => [layers.permute({ inputShape, dims: [3, 1, 2] })],
        (): Layer[] => [layers.flatten({ inputShape }), layers.repeatVector({ n })],
      ][kind]!();
      return sequential(...made);
    }),
  Conv1D: () =>
    fc
      .record({
        n: size,
        c: channels,
        filters: channels,
        k: small,
        s: small,
        d: small,
        padding,
        kind: activation,
        useBias: onOff,
      })
      .map((o) =>
        sequential(
          layers.conv1d({
            inputShape: [o.n, o.c],
            filters: o.filters,
            kernelSize: o.k,
            strides: o.d > 1 ? 1 : o.s,
            dilationRate: o.padding === "valid" && o.d * (o.k - 1) >= o.n ? 1 : o.d,
            padding: o.padding,
            activation: o.kind as "relu",
            useBias: o.useBias,
          }),
        ),
      ),
  Conv2D: () =>
    fc
      .record({
        i: image,
        filters: channels,
        k: fc.tuple(small, small),
        s: small,
        d: fc.integer({ min: 1, max: 2 }),
        padding,
        kind: activation,
        useBias: onOff,
      })
      .map((o) =>
        sequential(
          layers.conv2d({
            inputShape: shapeOf(o.i),
            dataFormat: o.i.dataFormat,
            filters: o.filters,
            kernelSize: o.k,
            strides: o.d > 1 ? 1 : o.s,
            dilationRate: o.k.some((k) => (k - 1) * o.d >= 4) ? 1 : o.d,
            padding: o.padding,
            activation: o.i.dataFormat === "channelsFirst" && o.kind === "softmax" ? "relu" : (o.kind as "relu"),
            useBias: o.useBias,
          }),
        ),
      ),
  "DepthwiseConv2D, SeparableConv2D": () =>
    fc
      .record({
        i: image,
        filters: channels,
        m: fc.integer({ min: 1, max: 2 }),
        k: small,
        s: small,
        padding,
        useBias: onOff,
        separable: onOff,
      })
      .map((o) => {
        const common = {
          inputShape: [o.i.h, o.i.w, o.i.c],
          kernelSize: o.k,
          strides: o.s,
          padding: o.padding,
          useBias: o.useBias,
          depthMultiplier: o.m,
        };
        return sequential(
          o.separable ? layers.separableConv2d({ ...common, filters: o.filters }) : layers.depthwiseConv2d(common),
        );
      }),
  Conv3D: () =>
    fc
      .record({
        n: fc.tuple(size, size, size),
        c: channels,
        filters: channels,
        k: fc.integer({ min: 1, max: 2 }),
        s: small,
        padding,
      })
      .map((o) =>
        sequential(
          layers.conv3d({
            inputShape: [...o.n, o.c],
            filters: o.filters,
            kernelSize: o.k,
            strides: Math.min(o.s, o.k),
            padding: o.padding,
          }),
        ),
      ),
  Conv2DTranspose: () =>
    fc.record({ i: image, filters: channels, k: small, s: small, padding, useBias: onOff }).map((o) =>
      sequential(
        layers.conv2dTranspose({
          inputShape: shapeOf(o.i),
          dataFormat: o.i.dataFormat,
          filters: o.filters,
          kernelSize: o.k,
          strides: o.s,
          padding: o.padding,
          useBias: o.useBias,
        }),
      ),
    ),
  Conv3DTranspose: () =>
    fc
      .record({ n: fc.tuple(small, small, small), c: channels, filters: channels, k: small, s: small, padding })
      .map((o) =>
        sequential(
          layers.conv3dTranspose({
            inputShape: [...o.n, o.c],
            filters: o.filters,
            kernelSize: o.k,
            strides: Math.min(o.s, o.k),
            padding: o.padding,
          }),
        ),
      ),
  "pooling 1D": () =>
    fc
      .record({ n: size, c: channels, poolSize: small, strides: small, padding, max: onOff })
      .map(({ n, c, max, ...o }) =>
        sequential(
          max
            ? layers.maxPooling1d({ inputShape: [n, c], ...o })
            : layers.averagePooling1d({ inputShape: [n, c], ...o }),
        ),
      ),
  "pooling 2D": () =>
    fc
      .record({ i: image, poolSize: fc.tuple(small, small), strides: small, padding, max: onOff })
      .map(({ i, max, ...o }) => {
        const options = {
          inputShape: shapeOf(i),
          dataFormat: i.dataFormat,
          ...o,
          strides: [o.strides, o.strides] as [number, number],
        };
        return sequential(max ? layers.maxPooling2d(options) : layers.averagePooling2d(options));
      }),
  "pooling 3D": () =>
    fc
      .record({ n: fc.tuple(size, size, size), c: channels, poolSize: small, strides: small, padding, max: onOff })
      .map(({ n, c, max, ...o }) => {
        const options = { inputShape: [...n, c], ...o, strides: Math.min(o.strides, o.poolSize) };
        return sequential(max ? layers.maxPooling3d(options) : layers.averagePooling3d(options));
      }),
  "global pooling": () =>
    fc
      .tuple(image, fc.integer({ min: 0, max: 3 }))
      .map(([i, kind]) =>
        sequential(
          [
            (): Layer => layers.globalAveragePooling2d({ inputShape: shapeOf(i), dataFormat: i.dataFormat }),
            (): Layer => layers.globalMaxPooling2d({ inputShape: shapeOf(i), dataFormat: i.dataFormat }),
            (): Layer => layers.globalAveragePooling1d({ inputShape: [i.h, i.c] }),
            (): Layer => layers.globalMaxPooling1d({ inputShape: [i.h, i.c] }),
          ][kind]!(),
        ),
      ),
  "Cropping2D, ZeroPadding2D": () =>
    fc
      .tuple(image, fc.tuple(...[0, 1, 2, 3].map(() => fc.integer({ min: 0, max: 1 }))), onOff)
      .map(([i, [a, b, c, d], crop]) => {
        const sides = [
          [a, b],
          [c, d],
        ] as [[number, number], [number, number]];
        const options = { inputShape: shapeOf(i), dataFormat: i.dataFormat };
        return sequential(
          crop
            ? layers.cropping2D({ ...options, cropping: sides })
            : layers.zeroPadding2d({ ...options, padding: sides }),
        );
      }),
  "UpSampling2D, CenterCrop, Rescaling": () =>
    fc
      .tuple(
        image,
        fc.tuple(small, small),
        fc.constantFrom("nearest" as const, "bilinear" as const),
        fc.integer({ min: 0, max: 2 }),
      )
      .map(([i, factors, interpolation, kind]) => {
        const inputShape = [i.h, i.w, i.c];
        const [height, width] = [Math.min(i.h, factors[0] + 1), Math.min(i.w - 2, factors[1] + 1)];
        return sequential(
          [
            (): Layer =>
              layers.upSampling2d({ inputShape: shapeOf(i), dataFormat: i.dataFormat, size: factors, interpolation }),
            (): Layer => layers.centerCrop({ inputShape, height, width }),
            (): Layer => layers.rescaling({ inputShape, scale: 0.25, offset: factors[0] - 1 }),
          ][kind]!(),
        );
      }),
  // tfjs' CPU kernel repeats statistics along the last axis whatever the axis is, so that only that one can be compared.
  BatchNormalization: () =>
    fc
      .tuple(tensorShape, onOff, onOff)
      .map(([shape, scale, center]) => [shape.slice(0, 3), scale, center] as const)
      .map(([inputShape, scale, center]) => sequential(layers.batchNormalization({ inputShape, scale, center }))),
  "Conv2D, BatchNormalization": () =>
    fc
      .tuple(image, channels, onOff)
      .map(([i, filters, useBias]) =>
        sequential(
          layers.conv2d({ inputShape: [i.h, i.w, i.c], filters, kernelSize: 2, useBias }),
          layers.batchNormalization(),
        ),
      ),
  LayerNormalization: () =>
    fc
      .tuple(fc.array(fc.integer({ min: 2, max: 5 }), { minLength: 1, maxLength: 3 }), onOff, onOff)
      .map(([inputShape, scale, center]) => sequential(layers.layerNormalization({ inputShape, scale, center }))),
  Embedding: () =>
    fc.tuple(size, channels, small).map(([inputDim, outputDim, n]) => ({
      ...sequential(layers.embedding({ inputDim, outputDim, inputShape: [n] })),
      tokens: inputDim,
    })),
  CategoryEncoding: () =>
    fc.tuple(size, small, fc.constantFrom("multiHot" as const, "count" as const)).map(([numTokens, n, outputMode]) => ({
      ...sequential(layers.categoryEncoding({ inputShape: [n], numTokens, outputMode })),
      tokens: numTokens,
    })),
  merges: () =>
    fc.tuple(tensorShape, fc.integer({ min: 2, max: 4 }), fc.integer({ min: 0, max: 4 })).map(([shape, count, kind]) =>
      merged(
        [layers.add, layers.multiply, layers.average, layers.maximum, layers.minimum][kind]!() as Layer,
        Array.from({ length: count }, () => shape),
      ),
    ),
  Concatenate: () =>
    fc.tuple(tensorShape, fc.nat(), small).map(([shape, seed, more]) => {
      const axis = seed % shape.length;
      return merged(layers.concatenate({ axis: axis + 1 }), [shape, shape.with(axis, shape[axis]! + more)]);
    }),
  Dot: () =>
    fc.tuple(small, small, channels, fc.integer({ min: 0, max: 4 }), onOff).map(([a, b, n, kind, normalize]) => {
      const [axes, one, other] = (
        [
          [1, [n], [n]],
          [
            [2, 2],
            [a, n],
            [b, n],
          ],
          [
            [2, 1],
            [a, n],
            [n, b],
          ],
          [[2, 1], [a, n], [n]],
          [[1, 2], [n], [a, n]],
        ] as [number | [number, number], Shape, Shape][]
      )[kind]!;
      return merged(layers.dot({ axes, normalize }), [one, other]);
    }),
  "SimpleRNN, GRU, LSTM": () =>
    fc.tuple(recurrent, fc.integer({ min: 0, max: 2 })).map(([{ steps, features, ...options }, kind]) => {
      const given = { inputShape: [steps, features], ...options };
      return sequential(
        [(): Layer => layers.simpleRNN(given), (): Layer => layers.gru(given), (): Layer => layers.lstm(given)][
          kind
        ]!(),
      );
    }),
  ConvLSTM2D: () =>
    fc
      .record({
        inputShape: fc.tuple(
          fc.integer({ min: 1, max: 3 }),
          fc.integer({ min: 4, max: 6 }),
          fc.integer({ min: 4, max: 6 }),
          channels,
        ),
        filters: channels,
        kernelSize: fc.integer({ min: 1, max: 3 }),
        strides: fc.integer({ min: 1, max: 2 }),
        padding: fc.constantFrom("same" as const, "valid" as const),
        useBias: onOff,
        returnSequences: onOff,
        goBackwards: onOff,
        recurrentActivation: fc.constantFrom("hardSigmoid" as const, "sigmoid" as const),
      })
      .map((options) => sequential(layers.convLstm2d(options))),
  Bidirectional: () =>
    fc
      .tuple(
        recurrent,
        fc.integer({ min: 0, max: 2 }),
        fc.constantFrom("concat" as const, "sum" as const, "mul" as const, "ave" as const),
      )
      .map(([{ steps, features, goBackwards: _no, ...options }, kind, mergeMode]) => {
        const layer = [
          (): Layer => layers.simpleRNN(options),
          (): Layer => layers.gru(options),
          (): Layer => layers.lstm(options),
        ][kind]!() as tfl.RNN;
        return sequential(layers.bidirectional({ layer, mergeMode, inputShape: [steps, features] }));
      }),
  "RNN of cells": () =>
    fc.tuple(small, channels, channels, onOff).map(([steps, features, units, returnSequences]) =>
      sequential(
        layers.rnn({
          cell: [layers.gruCell({ units }), layers.lstmCell({ units: 2 }), layers.simpleRNNCell({ units })],
          returnSequences,
          inputShape: [steps, features],
        }),
      ),
    ),
  TimeDistributed: () =>
    fc.tuple(small, size, channels, onOff).map(([steps, n, c, isDense]) =>
      sequential(
        isDense
          ? layers.timeDistributed({ layer: layers.dense({ units: 3 }), inputShape: [steps, c] })
          : layers.timeDistributed({
              layer: layers.conv2d({ filters: 2, kernelSize: 2 }),
              inputShape: [steps, n, n, c],
            }),
      ),
    ),
  "Flatten, and what touches it before its order matters": () =>
    fc
      .tuple(fc.integer({ min: 2, max: 4 }), channels, fc.constantFrom("relu", "softmax", "add", "dense"), onOff)
      .map(([n, c, kind, isShaped]) => {
        const input = tfl.input({ shape: [n, n + 1, c] });
        const flat = layers
          .flatten()
          .apply(layers.conv2d({ filters: 2, kernelSize: 1 }).apply(input)) as tfl.SymbolicTensor;
        const touched = {
          relu: (): unknown => layers.reLU().apply(flat),
          softmax: (): unknown => layers.softmax().apply(flat),
          add: (): unknown =>
            layers.add().apply([flat, layers.activation({ activation: "tanh" }).apply(flat) as tfl.SymbolicTensor]),
          dense: (): unknown => layers.dense({ units: 4 }).apply(layers.reLU().apply(flat) as tfl.SymbolicTensor),
        }[kind]() as tfl.SymbolicTensor;
        const shaped = layers.reshape({ targetShape: [2, touched.shape[1]! / 2] }).apply(touched) as tfl.SymbolicTensor;
        return shown(tfl.model({ inputs: input, outputs: isShaped ? shaped : touched }));
      }),
  "shared, nested, several outputs": () =>
    fc.tuple(channels, channels).map(([n, units]) => {
      const input = tfl.input({ shape: [n] });
      const shared = layers.dense({ units: n, activation: "tanh" });
      const once = shared.apply(input) as tfl.SymbolicTensor;
      const twice = shared.apply(once) as tfl.SymbolicTensor;
      const inner = tfl.sequential({
        layers: [layers.dense({ units, inputShape: [n] }), layers.dropout({ rate: 0.5 })],
      });
      const outputs = [inner.apply(twice) as tfl.SymbolicTensor, once];
      return shown(tfl.model({ inputs: input, outputs }));
    }),
};

test.each(Object.keys(FAMILIES))("%s", async (name) => {
  const opset = fc.constantFrom(13, 17, 20, 21);
  await fc.assert(
    fc.asyncProperty(FAMILIES[name]!(), opset, (made, target) => agrees(made, target)),
    { seed: 5, numRuns: RUNS },
  );
});

// The layer hands its list of inputs to an op that wants a tensor, and fails in tfjs 4.22: the op itself is the judge.
test.each(["nearest", "bilinear"] as const)("Resizing: %s", async (interpolation) => {
  const way = interpolation === "nearest" ? tf.image.resizeNearestNeighbor : tf.image.resizeBilinear;
  for (const [height, width] of [
    [4, 3],
    [9, 13],
    [1, 7],
  ] as const) {
    const made = sequential(layers.resizing({ inputShape: [5, 6, 2], height, width, interpolation }));
    await agrees(made, 17, (image) => way(image as tf.Tensor4D, [height, width], true));
  }
});

afterAll(() => expect(cases).toBeGreaterThanOrEqual(2_000));
