/**
 * Gather without a look at the indices in JavaScript: tfjs-node reads all of them at every call to check their range, which
 * TensorFlow does itself.
 */
import * as tf from "@tensorflow/tfjs-core";
import { DTYPES } from "../capture/binding.ts";
import { type KernelCall, type TensorflowKernel, typeAttr } from "./kernel.ts";

/** Takes slices along an axis. */
export const gather: TensorflowKernel = {
  name: "GatherV2",
  run({ inputs, attrs, backend }: KernelCall<{ readonly axis: number; readonly batchDims: number }>) {
    const [x, indices] = [inputs.x!, inputs.indices!];
    tf.backend_util.segment_util.collectGatherOpShapeInfo(x, indices, attrs.axis, attrs.batchDims);
    const axis = tf.scalar(attrs.axis, "int32");
    const types = [
      { name: "batch_dims", type: backend.binding.TF_ATTR_INT, value: attrs.batchDims },
      typeAttr(backend, "Tparams", DTYPES[x.dtype as keyof typeof DTYPES]),
      typeAttr(backend, "Tindices", DTYPES.int32),
      typeAttr(backend, "Taxis", DTYPES.int32),
    ];
    const output = backend.executeSingleOutput("GatherV2", types, [x, indices, axis]);
    axis.dispose();
    return output;
  },
};
