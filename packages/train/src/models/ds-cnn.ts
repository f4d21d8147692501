/**
 * Depthwise-separable CNN in the shape of MLPerf Tiny's keyword-spotting reference: one strided convolution, then blocks of
 * depthwise 3x3 and pointwise 1x1, batch normalisation and ReLU after each, global average pooling at the end.
 *
 * Zhang et al. 2017, "Hello Edge" (arXiv 1711.07128), section 3.5.
 */
import { type LayersModel, layers, sequential } from "@tensorflow/tfjs-layers";
import type { ModelConfig } from "../config.ts";
import { blocksFor, type ModelInput } from "./blocks.ts";

/** Builds the net; its output is logits. */
export function dsCnn(config: Extract<ModelConfig, { name: "ds-cnn" }>, input: ModelInput): LayersModel {
  const { convolution, depthwise, batchNorm, relu, dropout, dense } = blocksFor(input.seed);
  const { filters } = config;
  const blocks = Array.from({ length: config.blocks }, (_, index) => `block${index + 1}`).flatMap((block) => [
    depthwise(`${block}_depthwise`, {}),
    batchNorm(`${block}_depthwise_bn`),
    relu(`${block}_depthwise_relu`),
    convolution(`${block}_pointwise`, { filters, kernel: 1 }),
    batchNorm(`${block}_pointwise_bn`),
    relu(`${block}_pointwise_relu`),
  ]);
  return sequential({
    layers: [
      convolution("stem", { filters, kernel: 3, strides: 2, inputShape: input.shape }),
      batchNorm("stem_bn"),
      relu("stem_relu"),
      ...blocks,
      layers.globalAveragePooling2d({ name: "pool" }),
      dropout("dropout", config.dropout),
      dense("logits", { units: input.classes }),
    ],
  });
}
