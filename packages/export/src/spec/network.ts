/** Layers of neural networks: windows, products, norms, recurrence, quantisation. Source: ONNX, docs/Changelog.md. */
import type { OpSpec, Rows } from "./op-spec.ts";
import { row, rows } from "./op-spec.ts";

const window = { kernel_shape: "ints", strides: "ints", pads: "ints", auto_pad: "string" } as const;
const average = { ...window, ceil_mode: "int", count_include_pad: "int" } as const;
const dilated = { ...window, dilations: "ints" } as const;

/** Recurrent layers got `layout` with opset 14. */
function recurrent(inputs: number, outputs: number, own: OpSpec["attrs"]): OpSpec {
  const attrs = {
    ...own,
    activation_alpha: "floats",
    activation_beta: "floats",
    activations: "strings",
    clip: "float",
    direction: "string",
    hidden_size: "int",
  } as const;
  return {
    ...row(7, [3, inputs], attrs),
    outputs: [0, outputs],
    changes: [{ since: 14, attrs: { ...attrs, layout: "int" } }],
  };
}

/** Layers of neural networks. */
export const NETWORK: Rows = {
  AveragePool: { ...row(11, 1, average), changes: [{ since: 19, attrs: { ...average, dilations: "ints" } }] },
  BatchNormalization: {
    ...row(9, 5, { epsilon: "float", momentum: "float" }),
    changes: [{ since: 14, attrs: { epsilon: "float", momentum: "float", training_mode: "int" } }],
  },
  Conv: row(11, [2, 3], { ...dilated, group: "int" }),
  ConvInteger: row(10, [2, 4], { ...dilated, group: "int" }),
  ConvTranspose: row(11, [2, 3], { ...dilated, group: "int", output_padding: "ints", output_shape: "ints" }),
  DequantizeLinear: {
    ...row(13, [2, 3], { axis: "int" }),
    changes: [{ since: 21, attrs: { axis: "int", block_size: "int" } }],
  },
  DynamicQuantizeLinear: { ...row(11, 1), outputs: [3, 3] },
  Einsum: row(12, [1, 64], { equation: "string" }),
  Gemm: row(13, [2, 3], { alpha: "float", beta: "float", transA: "int", transB: "int" }),
  ...rows("GlobalAveragePool GlobalMaxPool", row(1, 1)),
  GRU: recurrent(6, 2, { linear_before_reset: "int" }),
  Hardmax: row(13, 1, { axis: "int" }),
  InstanceNormalization: row(6, 3, { epsilon: "float" }),
  LayerNormalization: {
    ...row(17, [2, 3], { axis: "int", epsilon: "float", stash_type: "int" }),
    outputs: [1, 3],
  },
  LogSoftmax: row(13, 1, { axis: "int" }),
  LpNormalization: row(1, 1, { axis: "int", p: "int" }),
  LRN: row(13, 1, { alpha: "float", beta: "float", bias: "float", size: "int" }),
  LSTM: recurrent(8, 3, { input_forget: "int" }),
  MatMul: row(13, 2),
  MatMulInteger: row(10, [2, 4]),
  MaxPool: { ...row(12, 1, { ...dilated, ceil_mode: "int", storage_order: "int" }), outputs: [1, 2] },
  MeanVarianceNormalization: row(13, 1, { axes: "ints" }),
  QuantizeLinear: {
    ...row(13, [2, 3], { axis: "int" }),
    changes: [
      { since: 19, attrs: { axis: "int", saturate: "int" } },
      { since: 21, attrs: { axis: "int", saturate: "int", block_size: "int", output_dtype: "int" } },
    ],
  },
  RNN: recurrent(6, 2, {}),
  Softmax: row(13, 1, { axis: "int" }),
};
