/** Images in other sizes. */
import { text } from "../../attr.ts";
import { floatTensor } from "../../tensor.ts";
import { factorTo } from "../resize-factor.ts";
import { cast } from "./cast.ts";
import { asImage } from "./layout.ts";
import { flagAttr, numbersIn, type OpLowering, type OpTable, unsupportedOp } from "./op-node.ts";

/** Where a pixel comes from: with aligned corners (h - 1) / (H - 1) y, with centres h / H (y + 1/2) - 1/2, else h / H y. */
const resize =
  (mode: "linear" | "nearest"): OpLowering =>
  (node, [x, wanted], build) => {
    const image = asImage(cast(x!, "float32", build), build);
    const sizes = numbersIn(node, wanted, "size", build);
    const from = build.edgeShape(image.edge).slice(2);
    if (from.every((size, i) => size === sizes[i])) return image;
    if (from.some((size) => typeof size !== "number"))
      throw unsupportedOp(node, `it resizes an image of [${from}]`, "Convert the model with fixed input shapes.");
    const factors = from.map((size, i) => factorTo(size as number, sizes[i]!));
    const scales = build.constant(`${node.name}/scales`, floatTensor(Float32Array.of(1, 1, ...factors), [4]));
    const isAligned = flagAttr(node, "align_corners");
    const isCentred = flagAttr(node, "half_pixel_centers");
    const coordinates = isAligned ? "align_corners" : isCentred ? "half_pixel" : "asymmetric";
    const rounding = coordinates === "asymmetric" ? "floor" : "round_prefer_ceil";
    const edge = build.add("Resize", node.name, [image.edge, "", scales], {
      coordinate_transformation_mode: text(coordinates),
      mode: text(mode),
      ...(mode === "nearest" && { nearest_mode: text(rounding) }),
    });
    return { ...image, edge };
  };

const WARPING = {
  refused: "ONNX has no op that cuts by boxes or warps in the way of TensorFlow",
  hint: "Cut the image before it goes into the model.",
};

/** Images. */
export const IMAGE: OpTable = {
  CropAndResize: WARPING,
  ImageProjectiveTransformV3: WARPING,
  ResizeBilinear: resize("linear"),
  ResizeNearestNeighbor: resize("nearest"),
};
