/** Layers that cut, pad or resize images, and those that prepare inputs. */
import { int, text } from "../../attr.ts";
import { floatTensor, intTensor, scalar } from "../../tensor.ts";
import { type GraphBuilder, type LayerSource, type Lowered, type Lowering, unsupported } from "../context.ts";
import { asTfjs, type Spatial, spatial } from "../layout.ts";
import { reduce } from "../reduce.ts";
import { factorTo } from "../resize-factor.ts";
import { listOf } from "./window.ts";

/** `[[top, bottom], [left, right]]`, from a number, a pair, or two pairs. */
function margins(value: unknown): readonly [begins: readonly number[], ends: readonly number[]] {
  const sides = [0, 1].map((axis) => listOf(Array.isArray(value) ? value[axis] : value, 2));
  return [sides.map((side) => side[0]!), sides.map((side) => side[1]!)];
}

/** Cropping2D -> Slice. */
export const cropping2d: Lowering = (layer, [input], builder) => {
  const source = spatial(layer, input!, builder);
  const [begins, ends] = margins(layer.config.cropping ?? 0);
  const stops = source.sizes.map((size, axis) => size - ends[axis]!);
  const bounds = Object.entries({ starts: begins, ends: stops, axes: [2, 3] }).map(([part, values]) =>
    builder.constant(`${layer.name}/${part}`, intTensor(values)),
  );
  const edge = builder.add("Slice", layer.name, [source.edge, ...bounds]);
  const sizes = stops.map((stop, axis) => stop - begins[axis]!);
  return source.result(edge, source.channels, sizes);
};

/** ZeroPadding2D -> Pad. */
export const zeroPadding2d: Lowering = (layer, [input], builder) => {
  const source = spatial(layer, input!, builder);
  const [begins, ends] = margins(layer.config.padding ?? 1);
  const pads = builder.constant(`${layer.name}/pads`, intTensor([0, 0, ...begins, 0, 0, ...ends]));
  const edge = builder.add("Pad", layer.name, [source.edge, pads]);
  const sizes = source.sizes.map((size, axis) => size + begins[axis]! + ends[axis]!);
  return source.result(edge, source.channels, sizes);
};

/** UpSampling2D: tfjs samples at `floor(y / factor)`, or between, without half-pixel centres. */
export const upSampling2d: Lowering = (layer, [input], builder) => {
  const source = spatial(layer, input!, builder);
  const factors = listOf(layer.config.size ?? 2, 2);
  const sizes = source.sizes.map((size, axis) => size * factors[axis]!);
  return resize(layer, source, sizes, "asymmetric", builder);
};

/** Resizing: corners aligned, unless cropToAspectRatio. */
export const resizing: Lowering = (layer, [input], builder) => {
  const sizes = [Number(layer.config.height), Number(layer.config.width)];
  const mode = layer.config.crop_to_aspect_ratio === true ? "asymmetric" : "align_corners";
  return resize(layer, spatial(layer, input!, builder), sizes, mode, builder);
};

function resize(
  layer: LayerSource,
  source: Spatial,
  sizes: readonly number[],
  coordinates: "asymmetric" | "align_corners",
  builder: GraphBuilder,
): Lowered {
  const kind = String(layer.config.interpolation ?? (layer.className === "Resizing" ? "bilinear" : "nearest"));
  if (kind !== "nearest" && kind !== "bilinear")
    throw unsupported(layer, `its interpolation is ${kind}`, "Use nearest or bilinear.");
  // Sizes would need the batch's size too: factors do not.
  const scales = Float32Array.of(1, 1, ...sizes.map((size, axis) => factorTo(source.sizes[axis]!, size)));
  const factors = builder.constant(`${layer.name}/scales`, floatTensor(scales, [4]));
  const rounding = coordinates === "asymmetric" ? "floor" : "round_prefer_ceil";
  const edge = builder.add("Resize", layer.name, [source.edge, "", factors], {
    coordinate_transformation_mode: text(coordinates),
    mode: text(kind === "nearest" ? "nearest" : "linear"),
    ...(kind === "nearest" && { nearest_mode: text(rounding) }),
  });
  return source.result(edge, source.channels, sizes);
}

/**
 * CenterCrop. tfjs cuts by cropAndResize with normalised boxes, whose rows are `round(top (h - 1) + y step)`: which rows these are is
 * known here, so that two Gathers do it. Where the crop is larger than the image tfjs resizes instead.
 */
export const centerCrop: Lowering = (layer, [input], builder) => {
  const source = spatial(layer, input!, builder);
  const wanted = [Number(layer.config.height), Number(layer.config.width)];
  const starts = source.sizes.map((size, axis) => (size === wanted[axis] ? 0 : Math.floor((size - wanted[axis]!) / 2)));
  if (source.sizes[1] !== wanted[1] && starts[1] === 0) starts[1] = 1;
  if (starts.some((start) => start < 0)) {
    const resized = { ...layer, config: { ...layer.config, interpolation: "bilinear" } };
    return resize(resized, source, wanted, "asymmetric", builder);
  }
  let edge = source.edge;
  for (const [axis, start] of starts.entries()) {
    const [size, count] = [source.sizes[axis]!, wanted[axis]!];
    const from = Math.fround(start / size);
    const to = Math.fround((count + start) / size);
    const step = count > 1 ? ((to - from) * (size - 1)) / (count - 1) : 0;
    const rows = Array.from({ length: count }, (_, i) =>
      count > 1 ? from * (size - 1) + i * step : 0.5 * (from + to) * (size - 1),
    );
    if (rows.some((row) => row < 0 || row > size - 1))
      throw unsupported(layer, "its crop reaches over the edge", "Crop by Cropping2D.");
    const indices = builder.constant(`${layer.name}/indices${axis}`, intTensor(rows.map(Math.round)));
    const name = axis === 1 ? layer.name : `${layer.name}/rows`;
    edge = builder.add("Gather", name, [edge, indices], { axis: int(axis + 2) });
  }
  return source.result(edge, source.channels, wanted);
};

/** Rescaling: x scale + offset. */
export const rescaling: Lowering = ({ name, config }, [input], builder) => {
  const scale = builder.constant(`${name}/scale`, scalar(Number(config.scale)));
  const offset = Number(config.offset ?? 0);
  const scaled = builder.add("Mul", offset === 0 ? name : `${name}/scaled`, [input!.edge, scale]);
  if (offset === 0) return { ...input!, edge: scaled };
  return { ...input!, edge: builder.add("Add", name, [scaled, builder.constant(`${name}/offset`, scalar(offset))]) };
};

/** CategoryEncoding -> OneHot, its columns joined by their maximum (multiHot) or sum (count). */
export const categoryEncoding: Lowering = (layer, [input], builder) => {
  const { name, config } = layer;
  const mode = String(config.output_mode ?? "multiHot");
  const depth = Number(config.num_tokens);
  const { edge, shape } = asTfjs(input!, builder);
  if (shape.length !== 1 || !["multiHot", "oneHot", "count", "multi_hot", "one_hot"].includes(mode))
    throw unsupported(
      layer,
      `its mode is ${mode}, its rank ${shape.length + 1}`,
      "Use oneHot, multiHot or count of [n].",
    );
  const indices = builder.add("Cast", `${name}/indices`, [edge], { to: int(7) });
  const depths = builder.constant(`${name}/depth`, intTensor([depth]));
  const values = builder.constant(`${name}/values`, floatTensor(Float32Array.of(0, 1), [2]));
  const hot = builder.add("OneHot", `${name}/hot`, [indices, depths, values], { axis: int(-1) });
  const joined = reduce(mode === "count" ? "ReduceSum" : "ReduceMax", name, hot, [1], false, builder);
  return { edge: joined, shape: [depth], layout: "tfjs" };
};
