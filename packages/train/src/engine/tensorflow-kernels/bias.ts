/**
 * Adding one number a channel, and its gradient, one op each:
 *
 *   y = x + b        dx = dy        db = sum of dy over all but the last axis
 *
 * tfjs broadcasts, and sums in a general reduction. In a graph TensorFlow also fuses a BiasAdd with the convolution or product
 * before it and the rectifier after it. The sum over a map of channels is a plain Sum: the op for biases would be fused with the
 * gradient of the convolution's filter, and both together then take longer than one after the other.
 */
import * as tf from "@tensorflow/tfjs-core";
import { DTYPES } from "../capture/binding.ts";
import { flagAttr, type KernelCall, type TensorflowKernel, textAttr, typeAttr } from "./kernel.ts";

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
  run({ inputs, backend }) {
    const dy = inputs.dy!;
    const type = typeAttr(backend, "T");
    if (dy.shape.length === 2) {
      return backend.executeSingleOutput(SUM, [type, textAttr(backend, "data_format", "NHWC")], [dy]);
    }
    const axes = tf.tensor1d([...dy.shape.keys()].slice(0, -1), "int32");
    const attrs = [type, typeAttr(backend, "Tidx", DTYPES.int32), flagAttr(backend, "keep_dims", false)];
    const sum = backend.executeSingleOutput("Sum", attrs, [dy, axes]);
    axes.dispose();
    return sum;
  },
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
