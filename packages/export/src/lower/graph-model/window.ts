/** Windows that move over an image, a sequence or a volume, as the attributes of Conv and pooling nodes. */
import { ints, text } from "../../attr.ts";
import type { Attrs, Dim } from "../../graph.ts";
import { samePadding } from "../same-padding.ts";
import { listAttr, type OpNode, textAttr, unsupportedOp } from "./op-node.ts";

/** The strides of the axes that a window moves over; TensorFlow lists those of batch and channels too. */
export function spatialOf(list: readonly number[], rank: number, isChannelsFirst: boolean): readonly number[] {
  if (list.length === 0) return new Array<number>(rank).fill(1);
  return isChannelsFirst ? list.slice(2) : list.slice(1, rank + 1);
}

/** Whether the node has its own channels behind the batch. */
export function hasChannelsFirst(node: OpNode): boolean {
  return textAttr(node, "data_format", "nhwc").startsWith("nc");
}

/** Reads a window from a node's attributes. A size that stays open leaves "same" to the runtime, which means the same by it. */
export function windowOf(node: OpNode, kernel: readonly number[], sizes: readonly Dim[]): Attrs {
  const rank = sizes.length;
  const isChannelsFirst = hasChannelsFirst(node);
  const strides = spatialOf(listAttr(node, "strides"), rank, isChannelsFirst);
  const dilations = spatialOf(listAttr(node, "dilations"), rank, isChannelsFirst);
  const attrs: Attrs = {
    kernel_shape: ints(kernel),
    strides: ints(strides),
    ...(dilations.some((rate) => rate > 1) && { dilations: ints(dilations) }),
  };
  const padding = textAttr(node, "padding", "valid");
  if (padding === "valid") return { ...attrs, pads: ints(new Array<number>(2 * rank).fill(0)) };
  if (padding === "explicit") {
    const pairs = spatialPairs(listAttr(node, "explicit_paddings"), rank, isChannelsFirst);
    return { ...attrs, pads: ints([...pairs.map(([begin]) => begin), ...pairs.map(([, end]) => end)]) };
  }
  if (padding !== "same") throw unsupportedOp(node, `its padding is ${padding}`, "Use same, valid or explicit.");
  if (sizes.some((size) => typeof size !== "number")) return { ...attrs, auto_pad: text("SAME_UPPER") };
  const axes = (sizes as readonly number[]).map((size, axis) => {
    const extent = (kernel[axis]! - 1) * dilations[axis]! + 1;
    // tfjs' own formula goes below zero here, and its kernels then read past what the other dimensions' rule would.
    if (rank === 3 && extent < strides[axis]!)
      throw unsupportedOp(
        node,
        "it has same padding with strides larger than its kernel",
        "Use valid, or a larger kernel.",
      );
    return samePadding(size, extent, strides[axis]!);
  });
  return { ...attrs, pads: ints([...axes.map(({ begin }) => begin), ...axes.map(({ end }) => end)]) };
}

function spatialPairs(list: readonly number[], rank: number, isChannelsFirst: boolean): readonly [number, number][] {
  const from = isChannelsFirst ? 2 : 1;
  return Array.from({ length: rank }, (_, axis) => [list[2 * (from + axis)] ?? 0, list[2 * (from + axis) + 1] ?? 0]);
}
