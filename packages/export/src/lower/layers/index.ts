import type { Lowering } from "../context.ts";
import { activation, elu, leakyRelu, prelu, reluLayer, softmaxLayer, thresholdedRelu } from "./activation.ts";
import { convLstm2d } from "./conv-lstm.ts";
import { convolution, depthwiseConv2d, separableConv2d, transposedConvolution } from "./convolution.ts";
import { dense, embedding, flatten, identity, masking, permuteLayer, repeatVector, reshape } from "./dense.ts";
import { categoryEncoding, centerCrop, cropping2d, rescaling, resizing, upSampling2d, zeroPadding2d } from "./image.ts";
import { add, average, concatenate, dot, maximum, minimum, multiply } from "./merge.ts";
import { batchNormalization, layerNormalization } from "./normalization.ts";
import {
  averagePooling,
  globalAveragePooling1d,
  globalAveragePooling2d,
  globalMaxPooling1d,
  globalMaxPooling2d,
  maxPooling,
} from "./pooling.ts";
import { bidirectional, recurrent, rnn } from "./recurrent.ts";

/** Every layer that can be exported, by its class name in model.json; TimeDistributed and nested models are the model's own. */
export const LOWERINGS: { readonly [className: string]: Lowering } = {
  Activation: activation,
  Add: add,
  AlphaDropout: identity,
  Average: average,
  AveragePooling1D: averagePooling,
  AveragePooling2D: averagePooling,
  AveragePooling3D: averagePooling,
  BatchNormalization: batchNormalization,
  Bidirectional: bidirectional,
  CategoryEncoding: categoryEncoding,
  CenterCrop: centerCrop,
  Concatenate: concatenate,
  Conv1D: convolution,
  Conv2D: convolution,
  Conv2DTranspose: transposedConvolution,
  Conv3D: convolution,
  Conv3DTranspose: transposedConvolution,
  ConvLSTM2D: convLstm2d,
  Cropping2D: cropping2d,
  Dense: dense,
  DepthwiseConv2D: depthwiseConv2d,
  Dot: dot,
  Dropout: identity,
  ELU: elu,
  Embedding: embedding,
  Flatten: flatten,
  GaussianDropout: identity,
  GaussianNoise: identity,
  GlobalAveragePooling1D: globalAveragePooling1d,
  GlobalAveragePooling2D: globalAveragePooling2d,
  GlobalMaxPooling1D: globalMaxPooling1d,
  GlobalMaxPooling2D: globalMaxPooling2d,
  GRU: recurrent,
  LayerNormalization: layerNormalization,
  LeakyReLU: leakyRelu,
  LSTM: recurrent,
  Masking: masking,
  Maximum: maximum,
  MaxPooling1D: maxPooling,
  MaxPooling2D: maxPooling,
  MaxPooling3D: maxPooling,
  Minimum: minimum,
  Multiply: multiply,
  Permute: permuteLayer,
  PReLU: prelu,
  ReLU: reluLayer,
  RepeatVector: repeatVector,
  Rescaling: rescaling,
  Reshape: reshape,
  Resizing: resizing,
  RNN: rnn,
  SeparableConv2D: separableConv2d,
  SimpleRNN: recurrent,
  Softmax: softmaxLayer,
  SpatialDropout1D: identity,
  ThresholdedReLU: thresholdedRelu,
  UpSampling2D: upSampling2d,
  ZeroPadding2D: zeroPadding2d,
};
