/**
 * ResNet-9, a net that learns much in few epochs, so a teacher: a 3x3 stem, then three stages that double the filters and halve the
 * size by max pooling, the first and third with a residual block of two convolutions behind.
 *
 * Page 2018, "How to Train Your ResNet" (DAWNBench's fastest on CIFAR-10), at `filters` 64; here with a global average where
 * the original takes the maximum and scales its logits.
 */
import { input as inputLayer, type LayersModel, layers, model, type SymbolicTensor } from "@tensorflow/tfjs-layers";
import type { ModelConfig } from "../config.ts";
import { apply, blocksFor, type ModelInput } from "./blocks.ts";

/** Builds the net; its output is logits. */
export function resnet9(config: Extract<ModelConfig, { name: "resnet-9" }>, input: ModelInput): LayersModel {
  const { convolution, batchNorm, relu, classifier } = blocksFor(input.seed);
  const unit = (name: string, filters: number, to: SymbolicTensor): SymbolicTensor =>
    [convolution(name, { filters, kernel: 3 }), batchNorm(`${name}_bn`), relu(`${name}_relu`)].reduce(
      (x, layer) => apply(layer, x),
      to,
    );

  const image = inputLayer({ shape: [...input.shape], name: "image" });
  let x = unit("stem", config.filters, image);
  for (const [index, isResidual] of [true, false, true].entries()) {
    const stage = `stage${index + 1}`;
    const filters = config.filters * 2 ** (index + 1);
    x = apply(layers.maxPooling2d({ name: `${stage}_pool`, poolSize: 2 }), unit(`${stage}_conv`, filters, x));
    if (!isResidual) continue;
    const branch = unit(`${stage}_branch2`, filters, unit(`${stage}_branch1`, filters, x));
    x = apply(layers.add({ name: `${stage}_add` }), [x, branch]);
  }
  return model({
    name: "resnet9",
    inputs: image,
    outputs: classifier(x, { dropout: config.dropout, classes: input.classes }),
  });
}
