/** The four nets of the yardstick, small enough that an engine's overhead shows and large enough that its arithmetic does. */
import type { PreprocessSpec } from "@distillate/bundle";
import { type LayersModel, layers, sequential } from "@tensorflow/tfjs-layers";
import { FusedBatchNorm } from "../src/models/fused-batch-norm.ts";
import { buildModel } from "../src/models/index.ts";

const dense = (units: number, activation?: "relu"): layers.Layer =>
  layers.dense({ units, ...(activation && { activation }) });

const image = [28, 28, 1];

function dsCnnBlock(): layers.Layer[] {
  return [
    layers.depthwiseConv2d({ kernelSize: 3, padding: "same", useBias: false }),
    new FusedBatchNorm({}),
    layers.reLU(),
    layers.conv2d({ filters: 64, kernelSize: 1, useBias: false }),
    new FusedBatchNorm({}),
    layers.reLU(),
  ];
}

function cnn(first: number, second: number, hidden: number): LayersModel {
  return sequential({
    layers: [
      layers.conv2d({ inputShape: image, filters: first, kernelSize: 3, activation: "relu" }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.conv2d({ filters: second, kernelSize: 3, activation: "relu" }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.flatten(),
      dense(hidden, "relu"),
      dense(10),
    ],
  });
}

/** A net to measure: its input's shape and its builder; all end in ten logits. */
export interface BenchModel {
  readonly shape: readonly [number, number, number];
  build(): LayersModel;
  /** Runs in every step where the step is one of distillation. */
  buildTeacher?(): LayersModel;
}

/** The nets' names. */
export type BenchModelName = "mlp" | "cnn" | "ds-cnn" | "resnet-8" | "distillation";

/** What a net's inputs were made by, where it is given bytes. */
export function preprocessOf({ shape: [height, width, channels] }: Pick<BenchModel, "shape">): PreprocessSpec {
  return {
    ...{ kind: "image", height, width, channels: channels as 1 | 3, fit: "stretch", layout: "nhwc" },
    ...{ scale: 1 / 64, mean: new Array<number>(channels).fill(2), std: new Array<number>(channels).fill(1) },
  };
}

/** All nets by name. The peers in tests/peers/train_*.py have the same. */
export const BENCH_MODELS: Readonly<Record<BenchModelName, BenchModel>> = {
  /** 784-128-64-10. */
  mlp: {
    shape: [28, 28, 1],
    build: () =>
      sequential({ layers: [layers.flatten({ inputShape: image }), dense(128, "relu"), dense(64, "relu"), dense(10)] }),
  },
  /** Two convolutions of 16 and 32 filters with pooling, dense 120. */
  cnn: { shape: [28, 28, 1], build: () => cnn(16, 32, 120) },
  /** A strided stem and four depthwise-separable blocks of 64 channels at 14x14. */
  "ds-cnn": {
    shape: [28, 28, 1],
    build: () =>
      sequential({
        layers: [
          layers.conv2d({ inputShape: image, filters: 64, kernelSize: 3, strides: 2, padding: "same", useBias: false }),
          new FusedBatchNorm({}),
          layers.reLU(),
          ...Array.from({ length: 4 }, dsCnnBlock).flat(),
          layers.globalAveragePooling2d({}),
          dense(10),
        ],
      }),
  },
  /** MLPerf Tiny's, at its own width. */
  "resnet-8": {
    shape: [32, 32, 3],
    build: () =>
      buildModel({ name: "resnet-8", filters: 16, dropout: 0 }, { shape: [32, 32, 3], classes: 10, seed: 1 }),
  },
  /** The cnn, with one of twice its width as its teacher: labels and softened probabilities. */
  distillation: { shape: [28, 28, 1], build: () => cnn(16, 32, 120), buildTeacher: () => cnn(32, 64, 256) },
};
