/** What the stock wasm backend lacks for training, or has only slowly. One kernel a file. */
import { adamUpdate } from "./adam-update.ts";
import { batchMatMul } from "./batch-mat-mul.ts";
import { registerBatchNormGradient } from "./batch-norm.ts";
import { conv2dFilter } from "./conv2d-filter.ts";
import { conv2dInput } from "./conv2d-input.ts";
import { depthwiseFilter } from "./depthwise-filter.ts";
import { depthwiseInput } from "./depthwise-input.ts";
import { identity } from "./identity.ts";
import { installKernel } from "./kernel.ts";
import { maxPool } from "./max-pool.ts";
import { reduceLeading } from "./reduce-leading.ts";
import { segmentSum } from "./segment-sum.ts";

/** Raised when a kernel comes to round differently: what was trained before is another result, and caches must know. */
export const KERNELS_REVISION = 3;

let installed = false;

/** Registers all kernels with the wasm backend, once a process. */
export function installWasmGradients(): void {
  if (installed) return;
  installed = true;
  const kernels = [
    conv2dFilter,
    conv2dInput,
    depthwiseFilter,
    depthwiseInput,
    maxPool,
    segmentSum,
    adamUpdate,
    batchMatMul(),
    identity(),
    reduceLeading("Sum"),
    reduceLeading("Mean"),
  ];
  for (const kernel of kernels) installKernel(kernel);
  registerBatchNormGradient();
}
