/** Adam's update of one weight in one pass over the heap, in place of a dozen tensors: see simd/adam-update.ts. */
import { type TensorInfo, util } from "@tensorflow/tfjs-core";
import { ADAM_UPDATE } from "../adam-update.ts";
import { adamNumbers } from "../simd/adam-update.ts";
import { loopsOf } from "../simd/loops.ts";
import { addressesOf, type KernelCall, type WasmKernel } from "./kernel.ts";

export const adamUpdate: WasmKernel = {
  name: ADAM_UPDATE,
  run({ inputs, attrs, backend }: KernelCall<{ readonly beta1: number; readonly beta2: number }>): TensorInfo[] {
    const { weight, gradient, m, v, size, epsilon } = inputs as { readonly [name: string]: TensorInfo };
    const { beta1, beta2 } = attrs;
    const made = [weight!, m!, v!].map(({ shape }) => backend.makeOutput(shape, "float32"));
    const numbers = backend.makeOutput([6], "float32");
    const [rate] = backend.typedArrayFromHeap(size!);
    const [added] = backend.typedArrayFromHeap(epsilon!);
    backend.typedArrayFromHeap(numbers).set(adamNumbers(beta1, beta2, rate!, added!));
    const [w, g, oldM, oldV, at] = addressesOf(backend, [weight!, gradient!, m!, v!, numbers]);
    const [nextW, nextM, nextV] = addressesOf(backend, made) as readonly [number, number, number];
    loopsOf(backend).adamUpdate(w, g, oldM, oldV, nextW, nextM, nextV, at, util.sizeFromShape(weight!.shape));
    backend.disposeData(numbers.dataId);
    return made;
  },
};
