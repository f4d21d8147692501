/**
 * The rectifier y = max(x, 0), and its gradient from its output, dx = dy [y > 0], in one pass; tfjs multiplies by a step function of
 * the input, which are three.
 *
 * What is no number stays so. The stock kernel makes zeros of those that come of infinities, and hides that a training diverged.
 */
import { engine, type GradConfig, type Tensor, type TensorInfo, util } from "@tensorflow/tfjs-core";
import { BITS } from "../simd/assembler.ts";
import { addressesOf, type KernelCall, stockKernel, type WasmKernel } from "./kernel.ts";
import { overElements } from "./over-elements.ts";

/** Makes the rectifier's kernel, keeping the stock one for other types. */
export function relu(): WasmKernel {
  const stock = stockKernel("Relu");
  return {
    name: "Relu",
    run(call: KernelCall<unknown>): TensorInfo {
      const { x } = call.inputs as { x: TensorInfo };
      if (x.dtype !== "float32") return stock(call);
      const output = call.backend.makeOutput(x.shape, "float32");
      const [from, to] = addressesOf(call.backend, [x, output]);
      overElements(call.backend, "floor", util.sizeFromShape(x.shape), { x: from, least: BITS.zero, out: to });
      return output;
    },
  };
}

export const reluGradient: WasmKernel = {
  name: "ReluGrad",
  run({ inputs, backend }: KernelCall<unknown>): TensorInfo {
    const { dy: gradient, y: made } = inputs as { dy: TensorInfo; y: TensorInfo };
    const output = backend.makeOutput(gradient.shape, "float32");
    const [dy, y, out] = addressesOf(backend, [gradient, made, output]);
    overElements(backend, "rectify", util.sizeFromShape(gradient.shape), { dy, y, out });
    return output;
  },
};

/** The gradient that uses it. */
export const reluGradients: GradConfig = {
  kernelName: "Relu",
  outputsToSave: [true],
  gradFunc: (dy, [y]) => ({ x: () => engine().runKernel("ReluGrad", { dy: dy as Tensor, y: y! }) as Tensor }),
};
