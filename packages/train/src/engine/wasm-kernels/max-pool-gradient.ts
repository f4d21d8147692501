/**
 * Gradient of max pooling: each window hands its gradient to the first of its largest inputs, in reading order.
 *
 * Four channels at a time where they lie, the rest one by one; the stock kernel first builds a tensor of positions.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { inParts } from "../threads/in-parts.ts";
import { heapViews, type KernelCall, type WasmKernel } from "./kernel.ts";
import { type PoolAttributes, poolSizes, visitLeftOver } from "./pool-sizes.ts";

type Attributes = PoolAttributes & {
  /** The input is what a rectifier gave, and the gradient that of the rectifier's input: see ../replay/fuse-kernels.ts. */
  readonly rectified?: boolean;
};

export const maxPoolGradient: WasmKernel = {
  name: "MaxPoolGrad",
  run({ inputs, attrs, backend }: KernelCall<Attributes>): TensorInfo {
    const { dy: gradient, input } = inputs as { dy: TensorInfo; input: TensorInfo };
    const { rectified: isRectified = false } = attrs;
    const { batch, sizes } = poolSizes(input.shape, attrs);
    const { output, out, views } = heapViews(backend, input.shape, { x: input, dy: gradient });
    const { x, dy } = views;
    inParts(
      backend,
      "poolGradients",
      { isRectified: Number(isRectified), x: x.byteOffset, dy: dy.byteOffset, out: out.byteOffset, ...sizes },
      batch,
    );
    visitLeftOver(x, batch, sizes, (window, largest) => {
      if (largest >= 0 && !(isRectified && x[largest]! <= 0)) out[largest]! += dy[window]!;
    });
    return output;
  },
};
