/** BatchNormalization, which a pass folds into the layer before where it can, and LayerNormalization. */
import { float, int } from "../../attr.ts";
import { floatTensor, scalar } from "../../tensor.ts";
import { type GraphBuilder, type LayerSource, type Lowered, type Lowering, unsupported } from "../context.ts";
import { asTfjs, edgeAxis } from "../layout.ts";
import { reduce } from "../reduce.ts";

/**
 * `scale` and `center` may be left out in tfjs; ONNX wants all four. tfjs' epsilon is 1e-3 by default, ONNX' 1e-5. ONNX normalises
 * axis 1 only; over another one it is a product and a sum.
 */
export const batchNormalization: Lowering = (layer, [given], builder) => {
  const input = given!.flattened === undefined ? given! : asTfjs(given!, builder);
  const { config, name } = layer;
  const axis = edgeAxis(input, Number([config.axis ?? -1].flat()[0]));
  const mean = layer.weight("moving_mean").values;
  const weights = {
    gamma: config.scale === false ? new Float32Array(mean.length).fill(1) : layer.weight("gamma").values,
    beta: config.center === false ? new Float32Array(mean.length) : layer.weight("beta").values,
    mean,
    variance: layer.weight("moving_variance").values,
  };
  const epsilon = Number(config.epsilon ?? 1e-3);
  if (axis === 1) {
    const edges = Object.entries(weights).map(([part, values]) =>
      builder.constant(`${name}/${part}`, floatTensor(values, [values.length])),
    );
    const attrs = { epsilon: float(epsilon) };
    return { ...input, edge: builder.add("BatchNormalization", name, [input.edge, ...edges], attrs) };
  }
  const { gamma, beta, variance } = weights;
  const factor = gamma.map((value, i) => value / Math.sqrt(variance[i]! + epsilon));
  const shift = beta.map((value, i) => value - (mean[i]! * gamma[i]!) / Math.sqrt(variance[i]! + epsilon));
  const along = Array.from({ length: input.shape.length + 1 - axis }, (_, i) => (i === 0 ? mean.length : 1));
  const scaled = builder.add("Mul", `${name}/scaled`, [
    input.edge,
    builder.constant(`${name}/factor`, floatTensor(factor, along)),
  ]);
  const edge = builder.add("Add", name, [scaled, builder.constant(`${name}/shift`, floatTensor(shift, along))]);
  return { ...input, edge };
};

/** (x - mean) / sqrt(variance + epsilon) over the last axes, times gamma, plus beta: one op since opset 17. */
export const layerNormalization: Lowering = (layer, [input], builder) => {
  const { config, name } = layer;
  const source = asTfjs(input!, builder);
  const rank = source.shape.length + 1;
  const axes = [config.axis ?? -1].flat().map((axis) => (Number(axis) < 0 ? Number(axis) + rank : Number(axis)));
  const first = Math.min(...axes);
  if (new Set(axes).size !== rank - first)
    throw unsupported(layer, `its axes are ${axes.join(", ")}`, "Normalise over the last axes.");
  const shape = source.shape.slice(first - 1);
  const size = shape.reduce((product, length) => product * length, 1);
  const gamma = config.scale === false ? new Float32Array(size).fill(1) : layer.weight("gamma").values;
  const scale = builder.constant(`${name}/gamma`, floatTensor(gamma, shape));
  const bias =
    config.center === false ? [] : [builder.constant(`${name}/beta`, floatTensor(layer.weight("beta").values, shape))];
  const epsilon = Number(config.epsilon ?? 1e-3);
  const edge =
    builder.opset >= 17
      ? builder.add("LayerNormalization", name, [source.edge, scale, ...bias], {
          axis: int(first),
          epsilon: float(epsilon),
        })
      : composed(layer, source, axes, scale, bias, epsilon, builder);
  return { ...source, edge };
};

function composed(
  { name }: LayerSource,
  { edge }: Lowered,
  axes: readonly number[],
  scale: string,
  bias: readonly string[],
  epsilon: number,
  builder: GraphBuilder,
): string {
  const mean = reduce("ReduceMean", `${name}/mean`, edge, axes, true, builder);
  const centred = builder.add("Sub", `${name}/centred`, [edge, mean]);
  const squares = builder.add("Mul", `${name}/squares`, [centred, centred]);
  const variance = reduce("ReduceMean", `${name}/variance`, squares, axes, true, builder);
  const positive = builder.add("Add", `${name}/positive`, [
    variance,
    builder.constant(`${name}/epsilon`, scalar(epsilon)),
  ]);
  const normal = builder.add("Div", `${name}/normal`, [centred, builder.add("Sqrt", `${name}/deviation`, [positive])]);
  const scaled = builder.add("Mul", bias.length > 0 ? `${name}/scaled` : name, [normal, scale]);
  return bias.length > 0 ? builder.add("Add", name, [scaled, ...bias]) : scaled;
}
