/** BatchNormalization over the channels. A pass folds it into the layer before where it can. */
import { floatTensor } from "../../tensor.ts";
import { type Lowering, unsupported } from "../context.ts";
import { edgeShape } from "./activation.ts";

/** `scale` and `center` may be left out in tfjs; ONNX wants all four. tfjs' epsilon is 1e-3 by default, ONNX' 1e-5. */
export const batchNormalization: Lowering = (layer, [input], builder) => {
  const { edge, shape, flattenedFrom } = input!;
  const { config, name } = layer;
  const axis = Number(config.axis ?? -1);
  if (flattenedFrom !== undefined || (axis !== -1 && axis !== shape.length)) {
    throw unsupported(
      layer,
      "it normalises another axis than the channels",
      "Put it before the Flatten, on the last axis.",
    );
  }
  const mean = layer.weight("moving_mean").values;
  const weights = {
    gamma: config.scale === false ? new Float32Array(mean.length).fill(1) : layer.weight("gamma").values,
    beta: config.center === false ? new Float32Array(mean.length) : layer.weight("beta").values,
    mean,
    variance: layer.weight("moving_variance").values,
  };
  const edges = Object.entries(weights).map(([part, values]) =>
    builder.constant(`${name}/${part}`, floatTensor(values, [values.length])),
  );
  const epsilon = { kind: "float", value: Number(config.epsilon ?? 1e-3) } as const;
  return { edge: builder.add("BatchNormalization", name, [edge, ...edges], { epsilon }, edgeShape(input!)), shape };
};
