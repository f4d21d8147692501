/** Norms over channels and axes. */
import { float, int } from "../../attr.ts";
import { cast } from "./cast.ts";
import { asImage, edgeAxis, plain, settled } from "./layout.ts";
import { numberAttr, type OpLowering, type OpTable, unsupportedOp, wholeAttr } from "./op-node.ts";
import { reduced } from "./reduction.ts";

/** At inference mean and variance are given; a pass folds the whole into the convolution before it where it can. */
const batchNorm: OpLowering = (node, [x, ...weights], build) => {
  if (x!.order.length < 3) throw unsupportedOp(node, `its input has rank ${x!.order.length}`, "Give it an image.");
  const image = asImage(x!, build);
  const inputs = [image.edge, ...weights.slice(0, 4).map((weight) => plain(weight, build))];
  const epsilon = float(numberAttr(node, "epsilon", 1e-3));
  return { ...image, edge: build.add("BatchNormalization", node.name, inputs, { epsilon }) };
};

/** tfjs divides by (bias + alpha sum)^beta, ONNX by (bias + alpha / size sum)^beta. */
const localResponse: OpLowering = (node, [x], build) => {
  const image = asImage(x!, build);
  const size = 2 * wholeAttr(node, "depth_radius", 5) + 1;
  const edge = build.add("LRN", node.name, [image.edge], {
    size: int(size),
    bias: float(numberAttr(node, "bias", 1)),
    alpha: float(numberAttr(node, "alpha", 1) * size),
    beta: float(numberAttr(node, "beta", 0.5)),
  });
  return { ...image, edge };
};

const softmax =
  (op: "Softmax" | "LogSoftmax"): OpLowering =>
  ({ name }, [x], build) => {
    const value = settled(cast(x!, "float32", build), build);
    return { ...value, edge: build.add(op, name, [value.edge], { axis: int(edgeAxis(value, -1)) }) };
  };

/** Norms. */
export const NORMALIZATION: OpTable = {
  EuclideanNorm: (node, [x, axis], build) => reduced("ReduceL2", node, cast(x!, "float32", build), axis, build),
  FusedBatchNorm: batchNorm,
  FusedBatchNormV2: batchNorm,
  FusedBatchNormV3: batchNorm,
  LRN: localResponse,
  LogSoftmax: softmax("LogSoftmax"),
  Softmax: softmax("Softmax"),
};
