/** What the stock wasm backend lacks for training, or has only slowly. One kernel a file. */
import { batchNormGradients } from "../train-batch-norm.ts";
import { adamUpdate } from "./adam-update.ts";
import { addChannels } from "./add-channels.ts";
import { batchNormGradient } from "./batch-norm.ts";
import { conv2d } from "./conv2d.ts";
import { conv2dFilter } from "./conv2d-filter.ts";
import { conv2dInput } from "./conv2d-input.ts";
import { depthwiseFilter } from "./depthwise-filter.ts";
import { depthwiseInput } from "./depthwise-input.ts";
import { identity } from "./identity.ts";
import { imagesFromBytes } from "./images-from-bytes.ts";
import { installGradient, installKernel } from "./kernel.ts";
import { matMul } from "./mat-mul.ts";
import { maxPool } from "./max-pool.ts";
import { maxPoolGradient } from "./max-pool-gradient.ts";
import { meanGradient } from "./mean-gradient.ts";
import { momentumUpdate } from "./momentum-update.ts";
import { reduceRows } from "./reduce-rows.ts";
import { relu, reluGradient, reluGradients } from "./relu.ts";
import { repeatRows } from "./repeat-rows.ts";
import { seededUniform } from "./seeded-uniform.ts";
import { segmentSum } from "./segment-sum.ts";
import { softmaxCrossEntropy } from "./softmax-cross-entropy.ts";
import { trainBatchNorm, trainBatchNormGradient } from "./train-batch-norm.ts";

/** Raised when a kernel comes to round differently: what was trained before is another result, and caches must know. */
export const KERNELS_REVISION = 10;

let installed = false;

/** Registers all kernels with the wasm backend, once a process. */
export function installWasmKernels(): void {
  if (installed) return;
  installed = true;
  const kernels = [
    conv2d("Conv2D"),
    conv2d("FusedConv2D"),
    conv2d("DepthwiseConv2dNative"),
    conv2d("FusedDepthwiseConv2D"),
    conv2dFilter,
    conv2dInput,
    depthwiseFilter,
    depthwiseInput,
    maxPool(),
    maxPoolGradient,
    segmentSum,
    seededUniform,
    adamUpdate,
    momentumUpdate,
    imagesFromBytes,
    softmaxCrossEntropy,
    reluGradient,
    trainBatchNorm,
    trainBatchNormGradient,
    addChannels(),
    identity("Identity"),
    identity("Cast"),
    matMul("BatchMatMul"),
    matMul("_FusedMatMul"),
    reduceRows("Sum"),
    reduceRows("Mean"),
    relu(),
    repeatRows(),
  ];
  for (const kernel of kernels) installKernel(kernel);
  const gradients = [batchNormGradient, batchNormGradients([false, true, true]), meanGradient, reluGradients];
  for (const gradient of gradients) installGradient(gradient);
}
