/** Conv2D and DepthwiseConv2D. Kernels are reordered once, to ONNX' [out, in / group, kh, kw]. */
import { floatTensor, permute } from "../../tensor.ts";
import type { GraphBuilder, LayerSource, Lowered, Lowering } from "../context.ts";
import { activate } from "./activation.ts";
import { windowOf } from "./window.ts";

/** tfjs kernel [kh, kw, in, out] -> [out, in, kh, kw]. */
export const conv2d: Lowering = (layer, [input], builder) => {
  const { values, shape } = layer.weight("kernel");
  const [kh, kw, channels, filters] = shape as [number, number, number, number];
  return convolve(layer, input!, builder, {
    weights: permute(values, shape, [3, 2, 0, 1]),
    shape: [filters, channels, kh, kw],
    group: 1,
  });
};

/** tfjs kernel [kh, kw, c, m] -> [c m, 1, kh, kw] with `group` c: outputs of one channel lie together. */
export const depthwiseConv2d: Lowering = (layer, [input], builder) => {
  const { values, shape } = layer.weight("depthwise_kernel");
  const [kh, kw, channels, multiplier] = shape as [number, number, number, number];
  return convolve(layer, input!, builder, {
    weights: permute(values, shape, [2, 3, 0, 1]),
    shape: [channels * multiplier, 1, kh, kw],
    group: channels,
  });
};

function convolve(
  layer: LayerSource,
  input: Lowered,
  builder: GraphBuilder,
  kernel: { readonly weights: Float32Array; readonly shape: readonly number[]; readonly group: number },
): Lowered {
  const [filters, , kh, kw] = kernel.shape as [number, number, number, number];
  const { attrs, height, width } = windowOf(layer, [kh, kw], [input.shape[0]!, input.shape[1]!]);
  const weights = builder.constant(`${layer.name}/kernel`, floatTensor(kernel.weights, kernel.shape));
  const bias =
    layer.config.use_bias === false
      ? []
      : [builder.constant(`${layer.name}/bias`, floatTensor(layer.weight("bias").values, [filters]))];
  const grouped = kernel.group === 1 ? attrs : { ...attrs, group: { kind: "int", value: kernel.group } as const };
  const edge = builder.add("Conv", layer.name, [input.edge, weights, ...bias], grouped, [filters, height, width]);
  return activate(layer, layer.config.activation, { edge, shape: [height, width, filters] }, builder);
}
