/** Dense, and the layers that only arrange values. */
import { int, ints } from "../../attr.ts";
import { floatTensor, intTensor, permute } from "../../tensor.ts";
import { type Lowered, type Lowering, unsupported } from "../context.ts";
import { asTfjs, edgeAxis, isChannelsFirst, reshapeTo } from "../layout.ts";
import { reduce } from "../reduce.ts";
import { activate } from "./activation.ts";

/**
 * Dense -> Gemm with the kernel [out, in] (transB). After a Flatten the rows are reordered from tfjs' (h, w, c) to the (c, h, w)
 * in which the values lie here, so that no Transpose is needed. On an image it is a convolution of 1 x 1, elsewhere a MatMul.
 */
export const dense: Lowering = (layer, [input], builder) => {
  const { name, config } = layer;
  const { values, shape } = layer.weight("kernel");
  const [inputs, units] = shape as [number, number];
  const bias = config.use_bias === false ? [] : [floatTensor(layer.weight("bias").values, [units])];
  const biasEdges = (): readonly string[] => bias.map((tensor) => builder.constant(`${name}/bias`, tensor));
  const source = input!;
  const { flattened, ...unflattened } = source;
  const output = { ...unflattened, shape: [...source.shape.slice(0, -1), units] };
  let edge: string;
  if (source.shape.length === 1) {
    const from = flattened?.source.shape ?? [inputs];
    const channel = from.length - 1;
    const order = [from.length, channel, ...Array.from({ length: channel }, (_, axis) => axis)];
    const kernel = floatTensor(permute(values, [...from, units], order), [units, inputs]);
    const edges = [source.edge, builder.constant(`${name}/kernel`, kernel), ...biasEdges()];
    edge = builder.add("Gemm", name, edges, { transB: int(1) });
  } else if (source.layout === "channelsFirst" && source.shape.length === 3) {
    const kernel = floatTensor(permute(values, shape, [1, 0]), [units, inputs, 1, 1]);
    edge = builder.add("Conv", name, [source.edge, builder.constant(`${name}/kernel`, kernel), ...biasEdges()], {
      kernel_shape: ints([1, 1]),
    });
  } else {
    const last = asTfjs(source, builder);
    const kernel = builder.constant(`${name}/kernel`, floatTensor(values, shape));
    const product = builder.add("MatMul", bias.length > 0 ? `${name}/product` : name, [last.edge, kernel]);
    edge = bias.length > 0 ? builder.add("Add", name, [product, ...biasEdges()]) : product;
    return activate(layer, config.activation, { ...output, edge, layout: "tfjs" }, builder);
  }
  return activate(layer, config.activation, { ...output, edge }, builder);
};

/** Flatten keeps channels first and remembers it. */
export const flatten: Lowering = (layer, [input], builder) => {
  const { shape } = input!;
  if (shape.length === 1) return input!;
  const size = shape.reduce((product, length) => product * length, 1);
  // tfjs moves channels that are first to the end before it flattens.
  const source: Lowered = isChannelsFirst(layer)
    ? { ...asTfjs(input!, builder), shape: [...shape.slice(1), shape[0]!], layout: "channelsFirst" }
    : input!;
  const edge = builder.add("Flatten", layer.name, [source.edge], { axis: int(1) });
  const flat = { edge, shape: [size], layout: "tfjs" as const };
  return source.layout === "channelsFirst" ? { ...flat, flattened: { source, edge } } : flat;
};

/** Dropout and noise: nothing at inference. */
export const identity: Lowering = (_layer, [input]) => input!;

/** Reshape, in tfjs' order; one size may be -1. */
export const reshape: Lowering = ({ name, config }, [input], builder) => {
  const target = (config.target_shape as readonly (number | null)[]).map((size) => size ?? -1);
  const total = input!.shape.reduce((product, size) => product * size, 1);
  const known = target.reduce((product, size) => (size < 0 ? product : product * size), 1);
  const shape = target.map((size) => (size < 0 ? total / known : size));
  const { edge } = asTfjs(input!, builder);
  return { edge: reshapeTo(name, edge, shape, builder), shape, layout: "tfjs" };
};

/** Permute: one Transpose from wherever the axes lie now. */
export const permuteLayer: Lowering = ({ name, config }, [input], builder) => {
  const dims = config.dims as readonly number[];
  const shape = dims.map((axis) => input!.shape[axis - 1]!);
  const order = [0, ...dims].map((axis) => edgeAxis(input!, axis));
  const isSame = order.every((axis, i) => axis === i);
  const edge = isSame ? input!.edge : builder.add("Transpose", name, [input!.edge], { perm: ints(order) });
  return isSame && dims.length === 1 ? input! : { edge, shape, layout: "tfjs" };
};

/** RepeatVector: [n] -> [times, n]. */
export const repeatVector: Lowering = ({ name, config }, [input], builder) => {
  const times = Number(config.n);
  const { edge, shape } = asTfjs(input!, builder);
  const axis = builder.constant(`${name}/axis`, intTensor([1]));
  const row = builder.add("Unsqueeze", `${name}/row`, [edge, axis]);
  const repeats = builder.constant(`${name}/repeats`, intTensor([1, times, 1]));
  return { edge: builder.add("Tile", name, [row, repeats]), shape: [times, ...shape], layout: "tfjs" };
};

/** Embedding -> Gather; with maskZero it also hands on a mask. */
export const embedding: Lowering = (layer, [input], builder) => {
  const { values, shape } = layer.weight("embeddings");
  const { name, config } = layer;
  const source = asTfjs(input!, builder);
  const table = builder.constant(`${name}/embeddings`, floatTensor(values, shape));
  const indices = builder.add("Cast", `${name}/indices`, [source.edge], { to: int(6) });
  const edge = builder.add("Gather", name, [table, indices]);
  const output: Lowered = { edge, shape: [...source.shape, shape[1]!], layout: "tfjs" };
  return config.mask_zero === true ? { ...output, masked: true } : output;
};

/** Masking: steps whose features all equal the mask value become zero; the mask itself is handed on for layers to refuse. */
export const masking: Lowering = (layer, [input], builder) => {
  const { name, config } = layer;
  const source = asTfjs(input!, builder);
  if (source.shape.length < 2) throw unsupported(layer, "its input has no steps", "Give it [steps, features].");
  const value = builder.constant(`${name}/value`, floatTensor(Float32Array.of(Number(config.mask_value ?? 0)), []));
  const isEqual = builder.add("Equal", `${name}/equal`, [source.edge, value]);
  const isOther = builder.add("Cast", `${name}/other`, [builder.add("Not", `${name}/not`, [isEqual])], { to: int(1) });
  const any = reduce("ReduceMax", `${name}/any`, isOther, [-1], true, builder);
  return { ...source, edge: builder.add("Mul", name, [source.edge, any]), masked: true };
};
