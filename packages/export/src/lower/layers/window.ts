/** Windows that move over an image: kernel, strides, and the padding that tfjs means by "same". */
import type { Attrs } from "../../graph.ts";
import { type LayerSource, unsupported } from "../context.ts";

/** Attributes of Conv and pooling nodes, and the size that comes out. */
export interface Window {
  readonly attrs: Attrs;
  readonly height: number;
  readonly width: number;
}

/**
 * Reads a window from a layer's configuration.
 *
 * "same": out = ceil(in / s), total = max((out - 1) s + (k - 1) d + 1 - in, 0), the smaller half first. So a stride-2 window on
 * an even size pads only at the end; symmetric padding would be off by a pixel.
 */
export function windowOf(layer: LayerSource, kernel: readonly number[], size: readonly [number, number]): Window {
  const { config } = layer;
  if (config.data_format === "channelsFirst" || config.data_format === "channels_first") {
    throw unsupported(layer, "its data format is channelsFirst", "Build the model with channelsLast, tfjs' default.");
  }
  const strides = pair(config.strides ?? kernel);
  const dilations = pair(config.dilation_rate ?? 1);
  const padding = String(config.padding ?? "valid");
  const axes = size.map((length, axis) => {
    const [k, s, d] = [kernel[axis]!, strides[axis]!, dilations[axis]!];
    const extent = (k - 1) * d + 1;
    if (padding === "valid") return { out: Math.floor((length - extent) / s) + 1, begin: 0, end: 0 };
    if (padding !== "same") throw unsupported(layer, `its padding is ${padding}`, "Use same or valid.");
    const out = Math.ceil(length / s);
    const total = Math.max((out - 1) * s + extent - length, 0);
    return { out, begin: Math.floor(total / 2), end: Math.ceil(total / 2) };
  });
  const [y, x] = axes as [(typeof axes)[0], (typeof axes)[0]];
  const dilated = dilations.some((rate) => rate > 1);
  return {
    attrs: {
      kernel_shape: { kind: "ints", value: kernel },
      strides: { kind: "ints", value: strides },
      pads: { kind: "ints", value: [y!.begin, x!.begin, y!.end, x!.end] },
      ...(dilated && { dilations: { kind: "ints", value: dilations } as const }),
    },
    height: y!.out,
    width: x!.out,
  };
}

/** A number or a pair, as a pair. */
export function pair(value: unknown): readonly [number, number] {
  return Array.isArray(value) ? [Number(value[0]), Number(value[1] ?? value[0])] : [Number(value), Number(value)];
}
