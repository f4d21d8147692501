/**
 * Batch normalisation in training, over all but the last axis, and its gradient, with two passes for sums and one for the map
 * each way; see train-batch-norm.ts of the engine for the formulas. As maps of the rows:
 *
 *   y = x a + (b - mean a)                    a = g r,  r = 1 / sqrt(variance + eps)
 *   dx = dy a - x k + (k mean - a mean(dy))   k = a r^2 mean(dy (x - mean))
 *
 * Sums run over some rows in single precision and over those sums in double, in a fixed order.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { BITS } from "../simd/assembler.ts";
import { loopsOf } from "../simd/loops.ts";
import { BATCH_NORM, BATCH_NORM_GRADIENT } from "../train-batch-norm.ts";
import { addressesOf, heapViews, type KernelCall, type WasmKernel } from "./kernel.ts";
import { inBlocks, overRows } from "./rows.ts";

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
    const [mean, variance] = [backend.makeOutput([channels], "float32"), backend.makeOutput([channels], "float32")];
    const scratch = backend.makeOutput([2 * channels], "float32");
    const given = { x: input, scale, offset, mean, variance, scratch };
    const { output, out, views } = heapViews(backend, input.shape, given);
    const rows = out.length / channels;
    const loops = loopsOf(backend);
    const x = views.x.byteOffset;
    const [part, means, coefficients] = [views.scratch.byteOffset, views.mean.byteOffset, views.scratch.byteOffset];

    const sums = overRows(rows, channels, views.scratch, (start, count) =>
      loops.sumColumns(x + start * channels * 4, channels * 4, 0, part, count, 1, channels),
    );
    for (let c = 0; c < channels; c++) views.mean[c] = sums[c]! / rows;
    const squares = overRows(rows, channels, views.scratch, (start, count) => {
      const at = x + start * channels * 4;
      loops.centredDots(at, at, means, part, count, channels);
    });
    for (let c = 0; c < channels; c++) {
      const biased = Math.max(0, squares[c]! / rows);
      views.variance[c] = (biased * rows) / Math.max(1, rows - 1);
      const a = views.scale[c]! / Math.sqrt(biased + attrs.epsilon);
      views.scratch[c] = a;
      views.scratch[channels + c] = views.offset[c]! - views.mean[c]! * a;
    }
    const floor = attrs.rectified ? BITS.zero : BITS.minusInfinity;
    inBlocks(rows, (start, count) => {
      const at = start * channels * 4;
      loops.affineOne(x + at, coefficients, floor, out.byteOffset + at, count, channels);
    });
    backend.disposeData(scratch.dataId);
    return [output, mean, variance];
  },
};

/** Gives dx, dg and db. With an input `y`, what a rectifier made of the normalised, `dy` is the gradient of that. */
export const trainBatchNormGradient: WasmKernel = {
  name: BATCH_NORM_GRADIENT,
  run({ inputs, attrs, backend }: KernelCall<Attributes>): TensorInfo[] {
    const { dy: gradient, x: input, y: rectified, scale, saved1: mean, saved2: variance } = inputs as Inputs;
    const channels = scale.shape[0]!;
    const [dScale, dOffset] = [backend.makeOutput([channels], "float32"), backend.makeOutput([channels], "float32")];
    const scratch = backend.makeOutput([3 * channels], "float32");
    const given = { dy: gradient, x: input, scale, mean, variance, dScale, dOffset, scratch };
    const { output, out, views } = heapViews(backend, input.shape, given);
    const rows = out.length / channels;
    const loops = loopsOf(backend);
    const [x, to, part] = [views.x.byteOffset, out.byteOffset, views.scratch.byteOffset];
    const [y] = rectified ? addressesOf(backend, [rectified]) : [];
    // A rectifier's gradient stays where the result will be.
    const dy = y === undefined ? views.dy.byteOffset : to;

    const both = overRows(rows, 2 * channels, views.scratch, (start, count) => {
      const at = start * channels * 4;
      if (y !== undefined) loops.rectify(views.dy.byteOffset + at, y + at, to + at, count * channels);
      loops.sumColumns(dy + at, channels * 4, 0, part, count, 1, channels);
      loops.centredDots(x + at, dy + at, views.mean.byteOffset, part + channels * 4, count, channels);
    });
    const [sums, dots] = [both.subarray(0, channels), both.subarray(channels)];
    for (let c = 0; c < channels; c++) {
      const biased = (views.variance[c]! * Math.max(1, rows - 1)) / rows;
      const r = 1 / Math.sqrt(biased + attrs.epsilon);
      const a = views.scale[c]! * r;
      const k = (a * r * r * dots[c]!) / rows;
      views.dScale[c] = r * dots[c]!;
      views.dOffset[c] = sums[c]!;
      views.scratch[c] = a;
      views.scratch[channels + c] = -k;
      views.scratch[2 * channels + c] = k * views.mean[c]! - (a * sums[c]!) / rows;
    }
    inBlocks(rows, (start, count) => {
      const at = start * channels * 4;
      loops.affineTwo(dy + at, x + at, part, BITS.minusInfinity, to + at, count, channels);
    });
    backend.disposeData(scratch.dataId);
    return [output, dScale, dOffset];
  },
};

type Inputs = Readonly<Record<"dy" | "x" | "scale" | "saved1" | "saved2", TensorInfo>> & { readonly y?: TensorInfo };
