/** What TensorFlow has one op for and tfjs composes of many, does by a slower one or in a way that no graph can hold. One rule a file. */
import { trainBatchNorm, trainBatchNormGradient, trainBatchNormGradients } from "./batch-norm.ts";
import { biasAdd, biasGradient, biasSum } from "./bias.ts";
import { expandDims } from "./expand-dims.ts";
import { fusedMatMul } from "./fused-mat-mul.ts";
import { gather } from "./gather.ts";
import { imagesFromBytes } from "./images-from-bytes.ts";
import { installGradient, installKernel } from "./kernel.ts";
import { matMul } from "./mat-mul.ts";
import { rectifierGradients, rectifiers } from "./relu.ts";
import { seededUniform } from "./seeded-uniform.ts";
import { softmaxCrossEntropy } from "./softmax-cross-entropy.ts";

/** Raised when a kernel comes to round differently: what was trained before is another result, and caches must know. */
export const KERNELS_REVISION = 4;

let installed = false;

/** Registers all kernels and gradients with tfjs-node's backend, once a process. */
export function installTensorflowKernels(): void {
  if (installed) return;
  installed = true;
  const kernels = [
    biasAdd(),
    biasSum,
    expandDims,
    fusedMatMul(),
    gather,
    imagesFromBytes,
    matMul(),
    seededUniform,
    softmaxCrossEntropy,
    trainBatchNorm,
    trainBatchNormGradient,
    ...rectifierGradients,
  ];
  for (const kernel of kernels) installKernel(kernel);
  for (const gradient of [biasGradient(), trainBatchNormGradients, ...rectifiers]) installGradient(gradient);
}
