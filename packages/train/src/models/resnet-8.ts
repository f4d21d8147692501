/**
 * ResNet-8, MLPerf Tiny's image-classification reference: a 3x3 stem and three residual stages of one block each, the second
 * and third halving the size and doubling the filters, with a 1x1 convolution on their shortcut.
 *
 * He et al. 2016 (arXiv 1512.03385), section 4.2, at n = 1; mlcommons/tiny, image_classification. `filters` 16 is the
 * reference's width: 78,426 parameters on 32x32x3 and 10 classes, its 78,666 less the biases that batch normalisation cancels.
 */
import { input as inputLayer, type LayersModel, layers, model, type SymbolicTensor } from "@tensorflow/tfjs-layers";
import type { ModelConfig } from "../config.ts";
import { apply, blocksFor, type ModelInput } from "./blocks.ts";

/** Builds the net; its output is logits. */
export function resnet8(config: Extract<ModelConfig, { name: "resnet-8" }>, input: ModelInput): LayersModel {
  const { convolution, batchNorm, relu, classifier } = blocksFor(input.seed);
  const normalised = (name: string, options: Parameters<typeof convolution>[1], to: SymbolicTensor): SymbolicTensor =>
    apply(batchNorm(`${name}_bn`), apply(convolution(name, options), to));

  const image = inputLayer({ shape: [...input.shape], name: "image" });
  let x = apply(relu("stem_relu"), normalised("stem", { filters: config.filters, kernel: 3 }, image));
  for (const [index, multiple] of [1, 2, 4].entries()) {
    const stage = `stage${index + 1}`;
    const filters = config.filters * multiple;
    const strides = index === 0 ? 1 : 2;
    const first = apply(relu(`${stage}_relu1`), normalised(`${stage}_conv1`, { filters, kernel: 3, strides }, x));
    const second = normalised(`${stage}_conv2`, { filters, kernel: 3 }, first);
    const shortcut =
      strides === 1 ? x : apply(convolution(`${stage}_shortcut`, { filters, kernel: 1, strides, bias: true }), x);
    x = apply(relu(`${stage}_relu2`), apply(layers.add({ name: `${stage}_add` }), [shortcut, second]));
  }
  return model({
    name: "resnet8",
    inputs: image,
    outputs: classifier(x, { dropout: config.dropout, classes: input.classes }),
  });
}
