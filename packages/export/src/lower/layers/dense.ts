/** Dense, Flatten and the layers that do nothing at inference. */
import { floatTensor, permute } from "../../tensor.ts";
import { type Lowering, unsupported } from "../context.ts";
import { activate } from "./activation.ts";

/**
 * Dense -> Gemm with the kernel [out, in] (transB). After a Flatten the rows are reordered from tfjs' (h, w, c) to the (c, h, w)
 * in which the values lie here, so that no Transpose is needed.
 */
export const dense: Lowering = (layer, [input], builder) => {
  const source = input!;
  if (source.shape.length !== 1) {
    throw unsupported(
      layer,
      `its input has rank ${source.shape.length + 1}`,
      "Put a Flatten or a global pooling before it.",
    );
  }
  const { values, shape } = layer.weight("kernel");
  const [inputs, units] = shape as [number, number];
  const [h, w, c] = source.flattenedFrom ?? [1, 1, inputs];
  const weights = permute(values, [h, w, c, units], [3, 2, 0, 1]);
  const kernel = builder.constant(`${layer.name}/kernel`, floatTensor(weights, [units, inputs]));
  const bias =
    layer.config.use_bias === false
      ? []
      : [builder.constant(`${layer.name}/bias`, floatTensor(layer.weight("bias").values, [units]))];
  const edge = builder.add("Gemm", layer.name, [source.edge, kernel, ...bias], { transB: { kind: "int", value: 1 } }, [
    units,
  ]);
  return activate(layer, layer.config.activation, { edge, shape: [units] }, builder);
};

/** Flatten keeps channels first and remembers it. */
export const flatten: Lowering = (layer, [input], builder) => {
  const { edge, shape } = input!;
  if (shape.length === 1) return input!;
  const size = shape.reduce((product, length) => product * length, 1);
  const flat = builder.add("Flatten", layer.name, [edge], { axis: { kind: "int", value: 1 } }, [size]);
  return { edge: flat, shape: [size], flattenedFrom: shape as [number, number, number] };
};

/** Dropout and noise: nothing at inference. */
export const identity: Lowering = (_layer, [input]) => input!;
