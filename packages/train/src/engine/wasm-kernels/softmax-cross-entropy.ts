/**
 * Cross-entropy with soft targets and its slope, row by row; the rule is in ../softmax-cross-entropy.ts. Composed it is a dozen
 * kernels over a few hundred numbers, each of which costs more than its arithmetic.
 *
 *   log softmax(z)_c = z_c - m - log sum exp(z - m),  m = max z
 *
 * Sums and exponentials are in double precision.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { CROSS_ENTROPY } from "../softmax-cross-entropy.ts";
import { heapViews, type KernelCall, type WasmKernel } from "./kernel.ts";

/** Gives losses `[N]` and slopes `[N, C]`. */
export const softmaxCrossEntropy: WasmKernel = {
  name: CROSS_ENTROPY,
  run({ inputs, backend }: KernelCall<unknown>): TensorInfo[] {
    const { logits, target } = inputs as { logits: TensorInfo; target: TensorInfo };
    const [rows, classes] = logits.shape as [number, number];
    const losses = backend.makeOutput([rows], "float32");
    const { output: slopes, out, views } = heapViews(backend, logits.shape, { logits, target, losses });
    const powers = new Float64Array(classes);
    for (let row = 0; row < rows; row++) {
      const from = row * classes;
      let largest = Number.NEGATIVE_INFINITY;
      for (let c = 0; c < classes; c++) largest = Math.max(largest, views.logits[from + c]!);
      let sum = 0;
      for (let c = 0; c < classes; c++) {
        powers[c] = Math.exp(views.logits[from + c]! - largest);
        sum += powers[c]!;
      }
      const logSum = largest + Math.log(sum);
      let loss = 0;
      for (let c = 0; c < classes; c++) {
        const share = views.target[from + c]!;
        loss += share * (logSum - views.logits[from + c]!);
        out[from + c] = powers[c]! / sum - share;
      }
      views.losses[row] = loss;
    }
    return [losses, slopes];
  },
};
