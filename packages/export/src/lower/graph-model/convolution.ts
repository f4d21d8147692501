/** Convolutions of one to three dimensions, plain, depthwise and transposed, with what is fused to them. */
import { float, int, ints } from "../../attr.ts";
import type { Attrs, Dim, Edge } from "../../graph.ts";
import { clip, prelu } from "./basic-math.ts";
import { asImage, imageOrder, inOrder, reshaped, shapeOf, together, transposed } from "./layout.ts";
import {
  listAttr,
  numberAttr,
  type OpLowering,
  type OpNode,
  type OpTable,
  sizesIn,
  textAttr,
  textsAttr,
  unsupportedOp,
  wholeAttr,
} from "./op-node.ts";
import type { Traced, Tracer } from "./trace.ts";
import { hasChannelsFirst, spatialOf, windowOf } from "./window.ts";

/** What a node fuses behind its product: a bias, an activation, the slopes of the latter. */
export interface Fused {
  readonly bias?: Traced;
  readonly activation?: string;
  readonly slopes?: Traced;
}

/** Reads the arguments from the third on by the list of fused ops. */
export function fusedOf(node: OpNode, args: readonly Traced[]): Fused {
  const kinds = textsAttr(node, "fused_ops");
  const hasBias = kinds[0] === "biasadd";
  const activation = hasBias ? kinds[1] : kinds[0];
  const slopes = args[hasBias ? 1 : 0];
  if (kinds.length > (hasBias ? 2 : 1) || activation === "fusedbatchnorm")
    throw unsupportedOp(
      node,
      `it fuses ${kinds.join(", ")}`,
      "Convert the model with BiasAdd and one activation at most.",
    );
  return {
    ...(hasBias && args[0] && { bias: args[0] }),
    ...(activation !== undefined && { activation }),
    ...(activation === "prelu" && slopes && { slopes }),
  };
}

/** Adds the fused activation. */
export function activated(node: OpNode, x: Traced, { activation = "linear", slopes }: Fused, build: Tracer): Traced {
  const name = `${node.name}/${activation}`;
  const plainOps: { readonly [kind: string]: string } = { relu: "Relu", elu: "Elu", sigmoid: "Sigmoid", tanh: "Tanh" };
  const op = plainOps[activation];
  if (op !== undefined) return { ...x, edge: build.add(op, name, [x.edge]) };
  if (activation === "linear") return x;
  if (activation === "relu6") return clip(x, 0, 6, name, build);
  if (activation === "prelu" && slopes !== undefined) return prelu(x, slopes, name, build);
  if (activation === "leakyrelu") {
    const alpha = float(numberAttr(node, "leakyrelu_alpha", 0.2));
    return { ...x, edge: build.add("LeakyRelu", name, [x.edge], { alpha }) };
  }
  throw unsupportedOp(node, `it fuses ${activation}`, "Use relu, relu6, elu, sigmoid, tanh, leakyrelu or prelu.");
}

/** [..., in, out] -> [out, in, ...] */
const convolution: OpLowering = (node, [x, filter, ...args], build) => {
  const rank = filter!.order.length;
  const kernel = inOrder(filter!, [rank - 1, rank - 2, ...spatialAxes(rank - 2)], build).edge;
  return convolve(node, x!, kernel, args, {}, build);
};

/** [h, w, c, m] -> [c m, 1, h, w] with `group` c: outputs of one channel lie together. */
const depthwise: OpLowering = (node, [x, filter, ...args], build) => {
  const [height, width, channels, multiplier] = shapeOf(filter!, build) as readonly number[];
  const turned = inOrder(filter!, [2, 3, 0, 1], build).edge;
  const kernel = reshaped(turned, [channels! * multiplier!, 1, height!, width!], build);
  return convolve(node, x!, kernel, args, channels === 1 ? {} : { group: int(channels!) }, build);
};

function spatialAxes(rank: number): readonly number[] {
  return Array.from({ length: rank }, (_, axis) => axis);
}

function convolve(
  node: OpNode,
  given: Traced,
  kernel: Edge,
  args: readonly Traced[],
  attrs: Attrs,
  build: Tracer,
): Traced {
  const x = inputOf(node, given, build);
  const [filters, , ...taps] = build.edgeShape(kernel) as readonly number[];
  const fused = fusedOf(node, args);
  const bias = fused.bias === undefined ? [] : biasOf(fused.bias, filters!, build);
  const window = windowOf(node, taps, build.edgeShape(x.edge).slice(2));
  const convolved = build.add("Conv", node.name, [x.edge, kernel, ...(bias ?? [])], { ...window, ...attrs });
  const output = { edge: convolved, order: x.order };
  return outputOf(
    node,
    activated(node, withBias(node, output, bias ? undefined : fused.bias, build), fused, build),
    build,
  );
}

/** A bias that Conv takes as it is: one number for each filter. */
function biasOf(bias: Traced, filters: number, build: Tracer): readonly Edge[] | undefined {
  const sizes = shapeOf(bias, build);
  const isVector = sizes.at(-1) === filters && sizes.slice(0, -1).every((size) => size === 1);
  return isVector ? [reshaped(bias.edge, [filters], build)] : undefined;
}

/** Any other bias is a sum. */
function withBias(node: OpNode, x: Traced, bias: Traced | undefined, build: Tracer): Traced {
  if (bias === undefined) return x;
  const { edges, like } = together([x, bias], build);
  return { ...like, edge: build.add("Add", `${node.name}/biased`, edges) };
}

/** Channels behind the batch; a node that has them there itself sees its axes under other names. */
function inputOf(node: OpNode, x: Traced, build: Tracer): Traced {
  if (!hasChannelsFirst(node)) return asImage(x, build);
  const rank = x.order.length;
  return asImage(transposed(x, [0, ...spatialAxes(rank - 2).map((axis) => axis + 2), 1], build), build);
}

function outputOf(node: OpNode, x: Traced, build: Tracer): Traced {
  return hasChannelsFirst(node) ? transposed(x, imageOrder(x.order.length), build) : x;
}

/**
 * [h, w, out, in] -> [in, out, h, w]. The input is what a convolution would make of the output: its padding is cut here, what is
 * left over at the end is output padding.
 */
const backpropInput: OpLowering = (node, [wanted, filter, given], build) => {
  const x = asImage(given!, build);
  const kernel = inOrder(filter!, [3, 2, 0, 1], build).edge;
  const taps = (build.edgeShape(kernel) as readonly number[]).slice(2);
  const strides = spatialOf(listAttr(node, "strides"), 2, false);
  const sizes = sizesIn(node, wanted, "output shape", build).slice(1, 3);
  const padding = textAttr(node, "padding", "valid");
  const explicit = listAttr(node, "explicit_paddings");
  const axes = sizes.map((out, i) => {
    const size: Dim = build.edgeShape(x.edge)[i + 2]!;
    if (typeof out !== "number" || typeof size !== "number")
      throw unsupportedOp(
        node,
        "the sizes of its image stay open",
        "Convert the model with fixed input shapes, all but the batch.",
      );
    const full = strides[i]! * (size - 1) + taps[i]!;
    const total = padding === "same" ? Math.max(full - out, 0) : 0;
    const begin = padding === "explicit" ? (explicit[2 * (i + 1)] ?? 0) : Math.floor(total / 2);
    const end = padding === "explicit" ? (explicit[2 * (i + 1) + 1] ?? 0) : Math.ceil(total / 2);
    return { begin, end, extra: out - (full - begin - end) };
  });
  if (axes.some(({ extra }, i) => extra < 0 || (extra > 0 && extra >= strides[i]!)))
    throw unsupportedOp(node, `its output shape [${sizes}] is none of its strides`, "Convert the model again.");
  const edge = build.add("ConvTranspose", node.name, [x.edge, kernel], {
    kernel_shape: ints(taps),
    strides: ints(strides),
    pads: ints([...axes.map(({ begin }) => begin), ...axes.map(({ end }) => end)]),
    ...(axes.some(({ extra }) => extra > 0) && { output_padding: ints(axes.map(({ extra }) => extra)) }),
  });
  return { edge, order: x.order };
};

/** The converter's own op of one dimension: its stride and dilation are single numbers. */
const conv1d: OpLowering = (node, [x, filter], build) => {
  const kernel = inOrder(filter!, [2, 1, 0], build).edge;
  const [stride, dilation] = [wholeAttr(node, "stride", 1), wholeAttr(node, "dilation", 1)];
  const attr = {
    ...node.attr,
    strides: { list: { i: [1, stride, 1] } },
    dilations: { list: { i: [1, dilation, 1] } },
  };
  return convolve({ ...node, attr }, x!, kernel, [], {}, build);
};

const MORPHOLOGY = {
  refused: "ONNX has no dilation in the sense of morphology",
  hint: "Use a MaxPool where the filter is flat.",
};

/** Convolutions. */
export const CONVOLUTION: OpTable = {
  Conv1D: conv1d,
  Conv2D: convolution,
  Conv2DBackpropInput: backpropInput,
  Conv3D: convolution,
  DepthwiseConv2d: depthwise,
  DepthwiseConv2dNative: depthwise,
  Dilation2D: MORPHOLOGY,
  FusedDepthwiseConv2dNative: depthwise,
  _FusedConv2D: convolution,
};
