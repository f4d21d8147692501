/** Adam's update of one weight in one pass over the heap, in place of a dozen tensors: see simd/adam-update.ts. */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { ADAM_UPDATE } from "../adam-update.ts";
import { loopsOf } from "../simd/loops.ts";
import { type GradientKernel, heapViews, type KernelCall } from "./kernel.ts";

export const adamUpdate: GradientKernel = {
  name: ADAM_UPDATE,
  run({ inputs, attrs, backend }: KernelCall<{ readonly beta1: number; readonly beta2: number }>): TensorInfo[] {
    const { weight, gradient, m, v, size, epsilon } = inputs as { readonly [name: string]: TensorInfo };
    const { beta1, beta2 } = attrs;
    // All outputs before any view: an allocation may move the heap.
    const [nextM, nextV] = [backend.makeOutput(m!.shape, "float32"), backend.makeOutput(v!.shape, "float32")];
    const numbers = backend.makeOutput([6], "float32");
    const { output, out, views } = heapViews(backend, weight!.shape, {
      ...{ weight: weight!, gradient: gradient!, m: m!, v: v!, size: size!, epsilon: epsilon! },
      ...{ nextM, nextV, numbers },
    });
    views.numbers.set([beta1, 1 - beta1, beta2, 1 - beta2, views.size[0]!, views.epsilon[0]!]);
    loopsOf(backend).adamUpdate(
      views.weight.byteOffset,
      views.gradient.byteOffset,
      views.m.byteOffset,
      views.v.byteOffset,
      out.byteOffset,
      views.nextM.byteOffset,
      views.nextV.byteOffset,
      views.numbers.byteOffset,
      out.length,
    );
    backend.disposeData(numbers.dataId);
    return [output, nextM, nextV];
  },
};
