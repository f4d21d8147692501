/**
 * Batch normalisation in training, over all but the last axis, and its gradient, with two passes for sums and one for the map
 * each way; see train-batch-norm.ts of the engine for the formulas. As maps of the rows:
 *
 *   y = x a + (b - mean a)                    a = g r,  r = 1 / sqrt(variance + eps)
 *   dx = dy a - x k + (k mean - a mean(dy))   k = a r^2 mean(dy (x - mean))
 *
 * Sums run over some rows in single precision and over those sums in double, in a fixed order.
 */
import { type TensorInfo, util } from "@tensorflow/tfjs-core";
import { BITS } from "../simd/assembler.ts";
import { blocksOf } from "../tasks/row-blocks.ts";
import { inParts } from "../threads/in-parts.ts";
import { BATCH_NORM, BATCH_NORM_GRADIENT } from "../train-batch-norm.ts";
import { sumOfBlocks } from "./block-sums.ts";
import { addressesOf, type KernelCall, viewsOf, type WasmKernel } from "./kernel.ts";

interface Attributes {
  readonly epsilon: number;
  /** A rectifier follows: see ../replay/fuse-kernels.ts. */
  readonly rectified?: boolean;
}

/** Gives y, mean and unbiased variance. */
export const trainBatchNorm: WasmKernel = {
  name: BATCH_NORM,
  run({ inputs, attrs, backend }: KernelCall<Attributes>): TensorInfo[] {
    const { x: input, scale, offset } = inputs as { x: TensorInfo; scale: TensorInfo; offset: TensorInfo };
    const channels = scale.shape[0]!;
    const rows = util.sizeFromShape(input.shape) / channels;
    const output = backend.makeOutput(input.shape, "float32");
    const [mean, variance] = [backend.makeOutput([channels], "float32"), backend.makeOutput([channels], "float32")];
    const coefficients = backend.makeOutput([2 * channels], "float32");
    const [x, means, both, out] = addressesOf(backend, [input, mean, coefficients, output]);
    const { blocks, parts, each } = blocksOf(rows, channels);
    const told = { channels, rows, items: 1, each, x };

    const sums = sumOfBlocks(backend, blocks, channels, 1, (to) =>
      inParts(backend, "sumBlocks", { sums: to, ...told }, parts),
    );
    const averages = backend.typedArrayFromHeap(mean) as Float32Array;
    for (let c = 0; c < channels; c++) averages[c] = sums[c]! / rows;
    const squares = sumOfBlocks(backend, blocks, channels, 1, (to) =>
      inParts(backend, "squareBlocks", { mean: means, sums: to, ...told }, parts),
    );
    const views = viewsOf(backend, { scale, offset, mean, variance, coefficients });
    for (let c = 0; c < channels; c++) {
      const biased = Math.max(0, squares[c]! / rows);
      views.variance[c] = (biased * rows) / Math.max(1, rows - 1);
      const a = views.scale[c]! / Math.sqrt(biased + attrs.epsilon);
      views.coefficients[c] = a;
      views.coefficients[channels + c] = views.offset[c]! - views.mean[c]! * a;
    }
    const floor = attrs.rectified ? BITS.zero : BITS.minusInfinity;
    inParts(backend, "affineOne", { coefficients: both, floor, out, ...told }, parts);
    backend.disposeData(coefficients.dataId);
    return [output, mean, variance];
  },
};

/** Gives dx, dg and db. With an input `y`, what a rectifier made of the normalised, `dy` is the gradient of that. */
export const trainBatchNormGradient: WasmKernel = {
  name: BATCH_NORM_GRADIENT,
  run({ inputs, attrs, backend }: KernelCall<Attributes>): TensorInfo[] {
    const { dy: gradient, x: input, y: made, scale, saved1: mean, saved2: variance } = inputs as Inputs;
    const channels = scale.shape[0]!;
    const rows = util.sizeFromShape(input.shape) / channels;
    const output = backend.makeOutput(input.shape, "float32");
    // What the rectifier hands on.
    const handed = made && backend.makeOutput(input.shape, "float32");
    const [dScale, dOffset] = [backend.makeOutput([channels], "float32"), backend.makeOutput([channels], "float32")];
    const coefficients = backend.makeOutput([3 * channels], "float32");
    const [x, dy, means, all, out] = addressesOf(backend, [input, gradient, mean, coefficients, output]);
    const [y, rectified] = made && handed ? addressesOf(backend, [made, handed]) : [0, 0];
    const { blocks, parts, each } = blocksOf(rows, channels);
    const told = { channels, rows, items: 1, each, x };

    const both = sumOfBlocks(backend, blocks, 2 * channels, 1, (to) =>
      inParts(backend, "gradientBlocks", { mean: means, dy, y, rectified, sums: to, ...told }, parts),
    );
    const [sums, dots] = [both.subarray(0, channels), both.subarray(channels)];
    const views = viewsOf(backend, { scale, mean, variance, dScale, dOffset, coefficients });
    for (let c = 0; c < channels; c++) {
      const biased = (views.variance[c]! * Math.max(1, rows - 1)) / rows;
      const r = 1 / Math.sqrt(biased + attrs.epsilon);
      const a = views.scale[c]! * r;
      const k = (a * r * r * dots[c]!) / rows;
      views.dScale[c] = r * dots[c]!;
      views.dOffset[c] = sums[c]!;
      views.coefficients[c] = a;
      views.coefficients[channels + c] = -k;
      views.coefficients[2 * channels + c] = k * views.mean[c]! - (a * sums[c]!) / rows;
    }
    const maps = { channels, rows, items: 1, each, x: handed ? rectified : dy, y: x, coefficients: all, out };
    inParts(backend, "affineTwo", { floor: BITS.minusInfinity, ...maps }, parts);
    for (const { dataId } of [coefficients, ...(handed ? [handed] : [])]) backend.disposeData(dataId);
    return [output, dScale, dOffset];
  },
};

type Inputs = Readonly<Record<"dy" | "x" | "scale" | "saved1" | "saved2", TensorInfo>> & { readonly y?: TensorInfo };
