/** Pooling of images and volumes. */
import { asImage } from "./layout.ts";
import { listAttr, type OpLowering, type OpTable } from "./op-node.ts";
import { spatialOf, windowOf } from "./window.ts";

const pool =
  (op: "AveragePool" | "MaxPool"): OpLowering =>
  (node, [x], build) => {
    // tfjs pools with the channels last, whatever the node's data format says.
    const last = { ...node, attr: { ...node.attr, data_format: undefined } };
    const { edge, order } = asImage(x!, build);
    const sizes = build.edgeShape(edge).slice(2);
    const kernel = spatialOf(listAttr(node, "ksize"), sizes.length, false);
    // ONNX' AveragePool leaves padding out of the mean by default, as tfjs does.
    return { edge: build.add(op, node.name, [edge], windowOf(last, kernel, sizes)), order };
  };

/** Pooling. */
export const POOLING: OpTable = {
  AvgPool: pool("AveragePool"),
  AvgPool3D: pool("AveragePool"),
  MaxPool: pool("MaxPool"),
  MaxPool3D: pool("MaxPool"),
  MaxPoolWithArgmax: {
    refused: "it numbers its maxima as an image with the channels last has them",
    hint: "Use MaxPool, and ArgMax where the place matters.",
  },
};
