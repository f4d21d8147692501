/**
 * Gradients of the two rectifiers from their outputs, one op each:
 *
 *   relu: dx = dy [y > 0]        relu6: dx = dy [0 < y < 6]
 *
 * Nair and Hinton 2010; the sixes are Krizhevsky's, 2010. tfjs multiplies by a step function of the input, and for six by another
 * of a comparison: three to five passes over the map where one does.
 */
import * as tf from "@tensorflow/tfjs-core";
import { type TensorflowKernel, typeAttr } from "./kernel.ts";

/** The ops. */
export const rectifierGradients: readonly TensorflowKernel[] = ["ReluGrad", "Relu6Grad"].map((name) => ({
  name,
  run: ({ inputs, backend }) => backend.executeSingleOutput(name, [typeAttr(backend, "T")], [inputs.dy!, inputs.y!]),
}));

/** The gradients that use them. */
export const rectifiers: readonly tf.GradConfig[] = ["Relu", "Relu6"].map((kernelName) => ({
  kernelName,
  outputsToSave: [true],
  gradFunc: (dy, [y]) => ({
    x: () => tf.engine().runKernel(`${kernelName}Grad`, { dy: dy as tf.Tensor, y: y! }) as tf.Tensor,
  }),
}));
