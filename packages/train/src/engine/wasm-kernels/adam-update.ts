/** Adam's update of one weight in one pass over the heap, in place of a dozen tensors: see simd/adam-update.ts. */
import { type TensorInfo, util } from "@tensorflow/tfjs-core";
import { ADAM_UPDATE } from "../adam-update.ts";
import { adamNumbers } from "../simd/adam-update.ts";
import { addressesOf, type KernelCall, type WasmKernel } from "./kernel.ts";
import { overElements } from "./over-elements.ts";

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
    const told = { w, g, m: oldM, v: oldV, nextW, nextM, nextV, numbers: at };
    overElements(backend, "adamUpdate", util.sizeFromShape(weight!.shape), told);
    backend.disposeData(numbers.dataId);
    return made;
  },
};
