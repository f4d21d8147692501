/** Pooling, local and global, of one to three dimensions. */
import { int } from "../../attr.ts";
import type { Lowering } from "../context.ts";
import { edgeAxis, spatial } from "../layout.ts";
import { reduce } from "../reduce.ts";
import { listOf, windowOf } from "./window.ts";

const local =
  (op: "MaxPool" | "AveragePool"): Lowering =>
  (layer, [input], builder) => {
    const source = spatial(layer, input!, builder);
    const kernel = listOf(layer.config.pool_size ?? 2, source.sizes.length);
    // ONNX' AveragePool leaves padding out of the mean by default, as tfjs does.
    const { attrs, sizes } = windowOf(layer, kernel, source.sizes);
    return source.result(builder.add(op, layer.name, [source.edge], attrs), source.channels, sizes);
  };

const global =
  (op: "GlobalMaxPool" | "GlobalAveragePool"): Lowering =>
  (layer, [input], builder) => {
    const { edge, channels } = spatial(layer, input!, builder);
    const pooled = builder.add(op, layer.name, [edge]);
    const flat = builder.add("Flatten", `${layer.name}/flatten`, [pooled], { axis: int(1) });
    return { edge: flat, shape: [channels], layout: "tfjs" };
  };

const overSteps =
  (op: "ReduceMax" | "ReduceMean"): Lowering =>
  ({ name }, [input], builder) => {
    const edge = reduce(op, name, input!.edge, [edgeAxis(input!, 1)], false, builder);
    return { edge, shape: input!.shape.slice(1), layout: "tfjs" };
  };

/** MaxPooling1D to 3D. */
export const maxPooling: Lowering = local("MaxPool");
/** AveragePooling1D to 3D. */
export const averagePooling: Lowering = local("AveragePool");
/** GlobalMaxPooling2D. */
export const globalMaxPooling2d: Lowering = global("GlobalMaxPool");
/** GlobalAveragePooling2D. */
export const globalAveragePooling2d: Lowering = global("GlobalAveragePool");
/** GlobalMaxPooling1D. */
export const globalMaxPooling1d: Lowering = overSteps("ReduceMax");
/** GlobalAveragePooling1D. */
export const globalAveragePooling1d: Lowering = overSteps("ReduceMean");
