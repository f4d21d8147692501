/** Windows that move over an image, a sequence or a volume: kernel, strides, and the padding that tfjs means by "same". */
import { ints } from "../../attr.ts";
import type { Attrs } from "../../graph.ts";
import { type LayerSource, unsupported } from "../context.ts";
import { samePadding } from "../same-padding.ts";

/** Attributes of Conv and pooling nodes, and the sizes that come out. */
export interface Window {
  readonly attrs: Attrs;
  readonly sizes: readonly number[];
}

/** Reads a window from a layer's configuration. */
export function windowOf(layer: LayerSource, kernel: readonly number[], sizes: readonly number[]): Window {
  const { config } = layer;
  const rank = sizes.length;
  const strides = listOf(config.strides ?? kernel, rank);
  const dilations = listOf(config.dilation_rate ?? 1, rank);
  const padding = String(config.padding ?? "valid");
  const axes = sizes.map((length, axis) => {
    const [k, s, d] = [kernel[axis]!, strides[axis]!, dilations[axis]!];
    const extent = (k - 1) * d + 1;
    if (padding === "valid") return { out: Math.floor((length - extent) / s) + 1, begin: 0, end: 0 };
    if (padding !== "same") throw unsupported(layer, `its padding is ${padding}`, "Use same or valid.");
    // tfjs' own formula goes below zero here, and its kernels then read past what the other dimensions' rule would.
    if (rank === 3 && extent < s)
      throw unsupported(layer, "same padding with strides larger than its kernel", "Use valid, or a larger kernel.");
    return samePadding(length, extent, s);
  });
  return {
    attrs: {
      kernel_shape: ints(kernel),
      strides: ints(strides),
      pads: ints([...axes.map(({ begin }) => begin), ...axes.map(({ end }) => end)]),
      ...(dilations.some((rate) => rate > 1) && { dilations: ints(dilations) }),
    },
    sizes: axes.map(({ out }) => out),
  };
}

/** A number or a list, as a list of this length. */
export function listOf(value: unknown, rank: number): readonly number[] {
  return Array.isArray(value)
    ? Array.from({ length: rank }, (_, axis) => Number(value[axis] ?? value[0]))
    : new Array<number>(rank).fill(Number(value));
}
