/** How the axes of a lowered value lie, and the few places where they have to lie otherwise. */
import { int, ints } from "../attr.ts";
import { intTensor } from "../tensor.ts";
import type { GraphBuilder, LayerSource, Lowered } from "./context.ts";

/** The edge's axis for an axis of the tfjs tensor, the batch being axis 0 of both; negative ones count from the end. */
export function edgeAxis({ shape, layout }: Lowered, axis: number): number {
  const rank = shape.length + 1;
  const found = axis < 0 ? axis + rank : axis;
  if (layout === "tfjs" || found === 0) return found;
  return found === rank - 1 ? 1 : found + 1;
}

/** The value in the order of axes that tfjs has. */
export function asTfjs(value: Lowered, builder: GraphBuilder): Lowered {
  if (value.flattened !== undefined) {
    const { source: from, edge: untouched } = value.flattened;
    const lying = [from.shape.at(-1)!, ...from.shape.slice(0, -1)];
    const whole = value.edge === untouched ? from.edge : reshapeTo(`${value.edge}/whole`, value.edge, lying, builder);
    const source = asTfjs({ ...from, edge: whole }, builder);
    const edge = builder.add("Flatten", `${source.edge}/flat`, [source.edge], { axis: int(1) });
    return { edge, shape: value.shape, layout: "tfjs", ...maskOf(value) };
  }
  if (value.layout === "tfjs") return value;
  const rank = value.shape.length + 1;
  const order = Array.from({ length: rank }, (_, axis) => edgeAxis(value, axis));
  const edge = builder.add("Transpose", `${value.edge}/last`, [value.edge], { perm: ints(order) });
  return { ...value, edge, layout: "tfjs" };
}

/** The value with its last axis first. */
export function asChannelsFirst(value: Lowered, builder: GraphBuilder): Lowered {
  if (value.layout === "channelsFirst" || value.shape.length < 2) return value;
  const rank = value.shape.length + 1;
  const order = [0, rank - 1, ...Array.from({ length: rank - 2 }, (_, i) => i + 1)];
  const edge = builder.add("Transpose", `${value.edge}/first`, [value.edge], { perm: ints(order) });
  return { ...value, edge, layout: "channelsFirst" };
}

/** What a layer with windows sees: an edge [batch, channels, ...sizes], and the way back to a lowered value. */
export interface Spatial {
  readonly edge: string;
  readonly channels: number;
  readonly sizes: readonly number[];
  result(edge: string, channels: number, sizes: readonly number[]): Lowered;
}

/** Whether a layer's own data format has the channels first. */
export function isChannelsFirst({ config }: Pick<LayerSource, "config">): boolean {
  return config.data_format === "channelsFirst" || config.data_format === "channels_first";
}

/** Reads the input of a layer with windows, in either data format. */
export function spatial(layer: LayerSource, input: Lowered, builder: GraphBuilder): Spatial {
  if (isChannelsFirst(layer)) {
    const { edge, shape } = asTfjs(input, builder);
    const result = (out: string, channels: number, sizes: readonly number[]): Lowered => ({
      edge: out,
      shape: [channels, ...sizes],
      layout: "tfjs",
    });
    return { edge, channels: shape[0]!, sizes: shape.slice(1), result };
  }
  const { edge, shape } = asChannelsFirst(input, builder);
  const result = (out: string, channels: number, sizes: readonly number[]): Lowered => ({
    edge: out,
    shape: [...sizes, channels],
    layout: "channelsFirst",
  });
  return { edge, channels: shape.at(-1)!, sizes: shape.slice(0, -1), result };
}

/** A constant [-1, ...shape] for Reshape: whatever the batch is. */
export function reshapeTo(name: string, edge: string, shape: readonly number[], builder: GraphBuilder): string {
  const target = builder.constant(`${name}/shape`, intTensor([-1, ...shape]));
  return builder.add("Reshape", name, [edge, target]);
}

/** The mask that a layer without weights hands on. */
export function maskOf({ masked }: Lowered): { readonly masked?: boolean } {
  return masked === true ? { masked } : {};
}
