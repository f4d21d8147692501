/**
 * Gradient of the rectifier from its output, dx = dy [y > 0], in one pass; tfjs multiplies by a step function of the input, which
 * are three.
 */
import { engine, type GradConfig, type Tensor, type TensorInfo, util } from "@tensorflow/tfjs-core";
import { loopsOf } from "../simd/loops.ts";
import { addressesOf, type GradientKernel, type KernelCall } from "./kernel.ts";

export const reluGradient: GradientKernel = {
  name: "ReluGrad",
  run({ inputs, backend }: KernelCall<unknown>): TensorInfo {
    const { dy: gradient, y: made } = inputs as { dy: TensorInfo; y: TensorInfo };
    const output = backend.makeOutput(gradient.shape, "float32");
    const [dy, y, to] = addressesOf(backend, [gradient, made, output]);
    loopsOf(backend).rectify(dy, y, to, util.sizeFromShape(gradient.shape));
    return output;
  },
};

/** The gradient that uses it. */
export const reluGradients: GradConfig = {
  kernelName: "Relu",
  outputsToSave: [true],
  gradFunc: (dy, [y]) => ({ x: () => engine().runKernel("ReluGrad", { dy: dy as Tensor, y: y! }) as Tensor }),
};
