/** Pooling, local and global. */
import type { Lowering } from "../context.ts";
import { pair, windowOf } from "./window.ts";

const local =
  (op: "MaxPool" | "AveragePool"): Lowering =>
  (layer, [input], builder) => {
    const [inHeight, inWidth, channels] = input!.shape as [number, number, number];
    const kernel = pair(layer.config.pool_size ?? 2);
    // ONNX' AveragePool leaves padding out of the mean by default, as tfjs does.
    const { attrs, height, width } = windowOf(layer, kernel, [inHeight, inWidth]);
    const edge = builder.add(op, layer.name, [input!.edge], attrs, [channels, height, width]);
    return { edge, shape: [height, width, channels] };
  };

const global =
  (op: "GlobalMaxPool" | "GlobalAveragePool"): Lowering =>
  (layer, [input], builder) => {
    const channels = input!.shape[2]!;
    const pooled = builder.add(op, layer.name, [input!.edge], {}, [channels, 1, 1]);
    const axis = { kind: "int", value: 1 } as const;
    return { edge: builder.add("Flatten", `${layer.name}/flatten`, [pooled], { axis }, [channels]), shape: [channels] };
  };

/** MaxPooling2D. */
export const maxPooling2d: Lowering = local("MaxPool");
/** AveragePooling2D. */
export const averagePooling2d: Lowering = local("AveragePool");
/** GlobalMaxPooling2D. */
export const globalMaxPooling2d: Lowering = global("GlobalMaxPool");
/** GlobalAveragePooling2D. */
export const globalAveragePooling2d: Lowering = global("GlobalAveragePool");
