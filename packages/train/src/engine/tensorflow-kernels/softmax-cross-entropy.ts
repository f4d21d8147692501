/** Cross-entropy with soft targets and its slope by TensorFlow's one op for both; the rule is in ../softmax-cross-entropy.ts. */
import { CROSS_ENTROPY } from "../softmax-cross-entropy.ts";
import { type TensorflowKernel, typeAttr } from "./kernel.ts";

/** Gives losses `[N]` and slopes `[N, C]`. */
export const softmaxCrossEntropy: TensorflowKernel = {
  name: CROSS_ENTROPY,
  run: ({ inputs, backend }) =>
    backend.executeMultipleOutputs(
      "SoftmaxCrossEntropyWithLogits",
      [typeAttr(backend, "T")],
      [inputs.logits!, inputs.target!],
      2,
    ),
};
