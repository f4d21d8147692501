/**
 * Adding one number a channel, and its gradient, one op each:
 *
 *   y = x + b        dx = dy        db = sum of dy over all but the last axis
 *
 * tfjs broadcasts, and sums in a general reduction. In a graph TensorFlow also fuses a BiasAdd with the convolution or product
 * before it and the rectifier after it.
 */
import * as tf from "@tensorflow/tfjs-core";
import { type KernelCall, type TensorflowKernel, textAttr, typeAttr } from "./kernel.ts";

const SUM = "BiasAddGrad";

function isBias(x: tf.TensorInfo, bias: tf.TensorInfo): boolean {
  const isOfReals = x.dtype === "float32" && bias.dtype === "float32";
  return isOfReals && x.shape.length > 1 && bias.shape.length === 1 && bias.shape[0] === x.shape.at(-1);
}

/** Adds; hands on whatever is no bias to the kernel that it replaces. */
export function biasAdd(): TensorflowKernel {
  const stock = tf.getKernel("Add", "tensorflow").kernelFunc as unknown as TensorflowKernel["run"];
  return {
    name: "Add",
    run(call: KernelCall<unknown>) {
      const { inputs, backend } = call;
      if (!isBias(inputs.a!, inputs.b!)) return stock(call);
      const attrs = [typeAttr(backend, "T"), textAttr(backend, "data_format", "NHWC")];
      return backend.executeSingleOutput("BiasAdd", attrs, [inputs.a!, inputs.b!]);
    },
  };
}

/** Sums a gradient to the bias'. */
export const biasSum: TensorflowKernel = {
  name: SUM,
  run: ({ inputs, backend }) =>
    backend.executeSingleOutput(SUM, [typeAttr(backend, "T"), textAttr(backend, "data_format", "NHWC")], [inputs.dy!]),
};

/** The gradient of a sum, with that of a bias in one op. */
export function biasGradient(): tf.GradConfig {
  const stock = tf.getGradient("Add");
  return {
    kernelName: "Add",
    inputsToSave: ["a", "b"],
    gradFunc: (dy, saved, attrs) => {
      const upstream = dy as tf.Tensor;
      if (!isBias(saved[0]!, saved[1]!)) return stock.gradFunc(dy, saved, attrs);
      return {
        a: () => tf.clone(upstream),
        b: () => tf.engine().runKernel(SUM, { dy: upstream }) as tf.Tensor,
      };
    },
  };
}
