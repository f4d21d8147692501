import type { Lowering } from "../context.ts";
import { activation, reluLayer, softmaxLayer } from "./activation.ts";
import { conv2d, depthwiseConv2d } from "./convolution.ts";
import { dense, flatten, identity } from "./dense.ts";
import { add, concatenate } from "./merge.ts";
import { batchNormalization } from "./normalization.ts";
import { averagePooling2d, globalAveragePooling2d, globalMaxPooling2d, maxPooling2d } from "./pooling.ts";

/** Every layer that can be exported, by its class name in model.json. */
export const LOWERINGS: { readonly [className: string]: Lowering } = {
  Activation: activation,
  Add: add,
  AveragePooling2D: averagePooling2d,
  BatchNormalization: batchNormalization,
  Concatenate: concatenate,
  Conv2D: conv2d,
  Dense: dense,
  DepthwiseConv2D: depthwiseConv2d,
  Dropout: identity,
  Flatten: flatten,
  GaussianDropout: identity,
  GaussianNoise: identity,
  GlobalAveragePooling2D: globalAveragePooling2d,
  GlobalMaxPooling2D: globalMaxPooling2d,
  MaxPooling2D: maxPooling2d,
  ReLU: reluLayer,
  Softmax: softmaxLayer,
};
