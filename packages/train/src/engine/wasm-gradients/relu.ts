/**
 * Gradient of the rectifier from its output, dx = dy [y > 0], in one pass; tfjs multiplies by a step function of the input, which
 * are three.
 */
import { engine, type GradConfig, type Tensor, type TensorInfo } from "@tensorflow/tfjs-core";
import { loopsOf } from "../simd/loops.ts";
import { type GradientKernel, heapViews, type KernelCall } from "./kernel.ts";

export const reluGradient: GradientKernel = {
  name: "ReluGrad",
  run({ inputs, backend }: KernelCall<unknown>): TensorInfo {
    const { dy: gradient, y: made } = inputs as { dy: TensorInfo; y: TensorInfo };
    const { output, out, views } = heapViews(backend, gradient.shape, { dy: gradient, y: made });
    const { dy, y } = views;
    const vectors = out.length - (out.length % 4);
    loopsOf(backend).rectify(dy.byteOffset, y.byteOffset, out.byteOffset, vectors);
    for (let i = vectors; i < out.length; i++) out[i] = y[i]! > 0 ? dy[i]! : 0;
    return output;
  },
};

/** The gradient that uses it. */
export const reluGradients: GradConfig = {
  kernelName: "Relu",
  outputsToSave: [true],
  gradFunc: (dy, [y]) => ({ x: () => engine().runKernel("ReluGrad", { dy: dy as Tensor, y: y! }) as Tensor }),
};
