/**
 * A plain convolutional net: 3x3 convolutions ("valid") with ReLU, each followed by 2x2 max pooling, then an optional hidden
 * dense layer. After LeCun et al. 1998 (LeNet-5), with ReLU and max pooling.
 */
import { type LayersModel, layers, sequential } from "@tensorflow/tfjs-layers";
import type { ModelConfig } from "../config.ts";
import { blocksFor, type ModelInput } from "./blocks.ts";

/** Builds the net; its output is logits. */
export function cnn(config: Extract<ModelConfig, { name: "cnn" }>, input: ModelInput): LayersModel {
  const { convolution, dense, dropout } = blocksFor(input.seed);
  const stages = config.filters.flatMap((filters, index) => [
    convolution(`conv${index + 1}`, {
      filters,
      kernel: 3,
      padding: "valid",
      bias: true,
      activation: "relu",
      ...(index === 0 && { inputShape: input.shape }),
    }),
    layers.maxPooling2d({ name: `pool${index + 1}`, poolSize: 2 }),
  ]);
  const hidden =
    config.dense > 0
      ? [dense("dense", { units: config.dense, activation: "relu" }), dropout("dropout2", config.dropout)]
      : [];
  return sequential({
    layers: [
      ...stages,
      layers.flatten({ name: "flatten" }),
      dropout("dropout1", config.dropout),
      ...hidden,
      dense("logits", { units: input.classes }),
    ],
  });
}
