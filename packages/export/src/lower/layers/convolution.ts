/** Convolutions of one to three dimensions, plain, depthwise, separable and transposed. Kernels are reordered once. */
import { int, ints } from "../../attr.ts";
import { floatTensor, permute } from "../../tensor.ts";
import { type GraphBuilder, type LayerSource, type Lowered, type Lowering, unsupported } from "../context.ts";
import { type Spatial, spatial } from "../layout.ts";
import { activate } from "./activation.ts";
import { listOf, windowOf } from "./window.ts";

interface Kernel {
  readonly weights: Float32Array;
  /** [out, in / group, ...kernel] */
  readonly shape: readonly number[];
  readonly group: number;
}

/** tfjs kernel [...k, in, out] -> [out, in, ...k]. */
export const convolution: Lowering = (layer, [input], builder) => {
  const kernel = kernelOf(layer, "kernel");
  return activate(
    layer,
    layer.config.activation,
    convolve(layer, spatial(layer, input!, builder), kernel, builder),
    builder,
  );
};

/** tfjs kernel [kh, kw, c, m] -> [c m, 1, kh, kw] with `group` c: outputs of one channel lie together. */
export const depthwiseConv2d: Lowering = (layer, [input], builder) => {
  const convolved = convolve(layer, spatial(layer, input!, builder), depthwiseKernelOf(layer), builder);
  return activate(layer, layer.config.activation, convolved, builder);
};

/** A depthwise convolution without bias, then one of 1 x 1. */
export const separableConv2d: Lowering = (layer, [input], builder) => {
  const config = { ...layer.config, use_bias: false };
  const depthwise = { ...layer, config, name: `${layer.name}/depthwise` };
  const between = convolve(depthwise, spatial(layer, input!, builder), depthwiseKernelOf(layer), builder);
  const pointwise = { ...layer, config: { ...layer.config, strides: 1, dilation_rate: 1 } };
  const kernel = kernelOf(layer, "pointwise_kernel");
  const convolved = convolve(pointwise, spatial(layer, between, builder), kernel, builder);
  return activate(layer, layer.config.activation, convolved, builder);
};

/**
 * tfjs kernel [...k, out, in] -> [in, out, ...k]. tfjs' size is `in s` for same, and `in s + max(k - s, 0)` for valid; what ONNX'
 * formula has more is cut as padding, the smaller half first, what it has less is output padding.
 */
export const transposedConvolution: Lowering = (layer, [input], builder) => {
  const { edge, sizes, result } = spatial(layer, input!, builder);
  const { values, shape } = layer.weight("kernel");
  const rank = sizes.length;
  const [kernel, filters] = [shape.slice(0, rank), shape[rank]!];
  const order = [rank + 1, rank, ...kernel.keys()];
  const weights = floatTensor(
    permute(values, shape, order),
    order.map((axis) => shape[axis]!),
  );
  const strides = listOf(layer.config.strides ?? 1, rank);
  const axes = sizes.map((size, i) => {
    const [k, s] = [kernel[i]!, strides[i]!];
    if (rank === 3 && k < s && layer.config.padding === "same")
      throw unsupported(layer, "same padding with strides larger than its kernel", "Use valid, or a larger kernel.");
    const out = size * s + (layer.config.padding === "same" ? 0 : Math.max(k - s, 0));
    const surplus = s * (size - 1) + k - out;
    const cut = Math.max(surplus, 0);
    return { out, begin: Math.floor(cut / 2), end: Math.ceil(cut / 2), extra: Math.max(-surplus, 0) };
  });
  const name = layer.name;
  const inputs = [edge, builder.constant(`${name}/kernel`, weights), ...biasOf(layer, filters, builder)];
  const out = builder.add("ConvTranspose", name, inputs, {
    kernel_shape: ints(kernel),
    strides: ints(strides),
    pads: ints([...axes.map(({ begin }) => begin), ...axes.map(({ end }) => end)]),
    ...(axes.some(({ extra }) => extra > 0) && { output_padding: ints(axes.map(({ extra }) => extra)) }),
  });
  const convolved = result(
    out,
    filters,
    axes.map((axis) => axis.out),
  );
  return activate(layer, layer.config.activation, convolved, builder);
};

function kernelOf(layer: LayerSource, part: string): Kernel {
  const { values, shape } = layer.weight(part);
  const rank = shape.length;
  const order = [rank - 1, rank - 2, ...Array.from({ length: rank - 2 }, (_, i) => i)];
  return { weights: permute(values, shape, order), shape: order.map((axis) => shape[axis]!), group: 1 };
}

function depthwiseKernelOf(layer: LayerSource): Kernel {
  const { values, shape } = layer.weight("depthwise_kernel");
  const [kh, kw, channels, multiplier] = shape as [number, number, number, number];
  return { weights: permute(values, shape, [2, 3, 0, 1]), shape: [channels * multiplier, 1, kh, kw], group: channels };
}

function convolve(layer: LayerSource, input: Spatial, kernel: Kernel, builder: GraphBuilder): Lowered {
  const filters = kernel.shape[0]!;
  const { attrs, sizes } = windowOf(layer, kernel.shape.slice(2), input.sizes);
  const weights = builder.constant(`${layer.name}/kernel`, floatTensor(kernel.weights, kernel.shape));
  const grouped = kernel.group === 1 ? attrs : { ...attrs, group: int(kernel.group) };
  const inputs = [input.edge, weights, ...biasOf(layer, filters, builder)];
  return input.result(builder.add("Conv", layer.name, inputs, grouped), filters, sizes);
}

function biasOf(layer: LayerSource, filters: number, builder: GraphBuilder): readonly string[] {
  if (layer.config.use_bias === false) return [];
  return [builder.constant(`${layer.name}/bias`, floatTensor(layer.weight("bias").values, [filters]))];
}
