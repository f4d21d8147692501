/**
 * What static quantisation may do to each op, as data.
 *
 * `weighted`: activations uint8, weights int8 per output channel, bias int32. `passes`: the op moves values and keeps their scale.
 * `computed`: the runtime has a quantised form between dequantised inputs and a quantised output. Anything else stays float.
 */

/** How an op is treated. */
export type QuantizeRule = "weighted" | "passes" | "computed";

/** The rule of each op; source: onnxruntime's QDQ selectors, which fuse exactly these. */
export const POLICY: { readonly [op: string]: QuantizeRule } = {
  Add: "computed",
  AveragePool: "computed",
  Clip: "computed",
  Concat: "computed",
  Conv: "weighted",
  Flatten: "passes",
  Gemm: "weighted",
  GlobalAveragePool: "computed",
  MaxPool: "passes",
  Relu: "computed",
};
