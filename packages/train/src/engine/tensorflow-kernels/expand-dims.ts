/** ExpandDims with the type that tfjs-node leaves TensorFlow to infer: a graph must say it. */
import * as tf from "@tensorflow/tfjs-core";
import { DTYPES } from "../capture/binding.ts";
import { type KernelCall, type TensorflowKernel, typeAttr } from "./kernel.ts";

/** Adds an axis of size 1. */
export const expandDims: TensorflowKernel = {
  name: "ExpandDims",
  run({ inputs, attrs, backend }: KernelCall<{ readonly dim: number }>) {
    const input = inputs.input!;
    const axis = tf.scalar(attrs.dim, "int32");
    const types = [
      typeAttr(backend, "T", DTYPES[input.dtype as keyof typeof DTYPES]),
      typeAttr(backend, "Tdim", DTYPES.int32),
    ];
    const output = backend.executeSingleOutput("ExpandDims", types, [input, axis]);
    axis.dispose();
    return output;
  },
};
