/**
 * Gradient of a depthwise convolution with respect to its filter:
 *
 *   dF[i, j, c, m] = sum over n, y, x of  X[n, s y + d i - p, s x + d j - p, c] dY[n, y, x, c M + m]
 *
 * Every tap sums, over the rows of an image that it reaches, the products of pixels as they lie on the heap: there is nothing to
 * reuse between channels, so composing it of other kernels only moves memory about. Sums run in a fixed order.
 */
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import type { backend_util, TensorInfo } from "@tensorflow/tfjs-core";
import { within } from "../tasks/within.ts";
import { inParts } from "../threads/in-parts.ts";
import { sumOfGroups } from "./filter-groups.ts";
import { type ConvolutionAttributes, convolutionGeometry, windowSizes } from "./geometry.ts";
import { addressesOf, heapViews, type KernelCall, type WasmKernel } from "./kernel.ts";

type Attributes = ConvolutionAttributes & { readonly filterShape: readonly number[] };

export const depthwiseFilter: WasmKernel = {
  name: "DepthwiseConv2dNativeBackpropFilter",
  run({ inputs, attrs, backend }: KernelCall<Attributes>): TensorInfo {
    const { x: input, dy: gradient } = inputs as { x: TensorInfo; dy: TensorInfo };
    const { filterShape } = attrs;
    const info = convolutionGeometry(input.shape, filterShape, attrs, true);
    if (filterShape[3]! > 1) return severalOfChannel(backend, input, gradient, filterShape, info);
    const [x, dy] = addressesOf(backend, [input, gradient]);
    const told = { x, dy, ...windowSizes(info) };
    return sumOfGroups(backend, filterShape, info.batchSize, ({ sums, count, each }, parts) =>
      inParts(backend, "channelFilterGradients", { sums, count, each, ...told }, parts),
    );
  },
};

/** With several filters a channel, tap by tap. */
function severalOfChannel(
  backend: BackendWasm,
  input: TensorInfo,
  gradient: TensorInfo,
  filterShape: readonly number[],
  info: backend_util.Conv2DInfo,
): TensorInfo {
  const { output, out, views } = heapViews(backend, filterShape, { x: input, dy: gradient });
  const { x, dy } = views;
  const { batchSize, inHeight, inWidth, inChannels: channels, outHeight, outWidth, padInfo } = info;
  const { strideHeight, strideWidth, dilationHeight, dilationWidth, filterHeight, filterWidth } = info;
  const multiplier = filterShape[3]!;
  const outputs = channels * multiplier;
  out.fill(0);
  for (let n = 0; n < batchSize; n++) {
    for (let i = 0; i < filterHeight; i++) {
      const down = i * dilationHeight - padInfo.top;
      const [firstRow, endRow] = within(down, strideHeight, inHeight, outHeight);
      for (let j = 0; j < filterWidth; j++) {
        const along = j * dilationWidth - padInfo.left;
        const [first, end] = within(along, strideWidth, inWidth, outWidth);
        const tap = (i * filterWidth + j) * outputs;
        for (let oy = firstRow; oy < endRow; oy++) {
          for (let ox = first; ox < end; ox++) {
            const row = (n * inHeight + oy * strideHeight + down) * inWidth;
            const pixel = (row + ox * strideWidth + along) * channels;
            const from = ((n * outHeight + oy) * outWidth + ox) * outputs;
            for (let o = 0; o < outputs; o++) out[tap + o]! += x[pixel + ((o / multiplier) | 0)]! * dy[from + o]!;
          }
        }
      }
    }
  }
  return output;
}
