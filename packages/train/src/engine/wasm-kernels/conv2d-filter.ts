/**
 * Gradient of a convolution with respect to its filter:
 *
 *   dF[i, j, c, k] = sum over n, y, x of  X[n, s y + d i - p, s x + d j - p, c] dY[n, y, x, k]
 *
 * For each row i of the filter that is a product A^T B of pixels as they lie within the image's frame: those that the row covers
 * follow one another, so j and c are one index. Sums run in a fixed order.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { inParts } from "../threads/in-parts.ts";
import { sumOfGroups } from "./filter-groups.ts";
import { framingOf } from "./frame.ts";
import { type ConvolutionAttributes, convolutionGeometry, windowSizes } from "./geometry.ts";
import { addressesOf, type KernelCall, type WasmKernel } from "./kernel.ts";

type Attributes = ConvolutionAttributes & { readonly filterShape: readonly number[] };

export const conv2dFilter: WasmKernel = {
  name: "Conv2DBackpropFilter",
  run({ inputs, attrs, backend }: KernelCall<Attributes>): TensorInfo {
    const { x, dy: gradient } = inputs as { readonly x: TensorInfo; readonly dy: TensorInfo };
    const info = convolutionGeometry(x.shape, attrs.filterShape, attrs, false);
    const { batchSize, outChannels: filters } = info;
    const [images, dy] = addressesOf(backend, [x, gradient]);
    const { frames, row, dispose } = framingOf(backend, info);
    const told = { images, frames, row, dy, filters, ...windowSizes(info) };
    const output = sumOfGroups(backend, attrs.filterShape, batchSize, ({ sums, count, each }, parts) =>
      inParts(backend, "filterGradients", { sums, count, each, ...told }, parts),
    );
    dispose();
    return output;
  },
};
