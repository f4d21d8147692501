/** An update by momentum of one weight in one pass over the heap: see simd/momentum-update.ts. */
import { type TensorInfo, util } from "@tensorflow/tfjs-core";
import { MOMENTUM_UPDATE } from "../momentum-update.ts";
import { addressesOf, type KernelCall, type WasmKernel } from "./kernel.ts";
import { overElements } from "./over-elements.ts";

export const momentumUpdate: WasmKernel = {
  name: MOMENTUM_UPDATE,
  run({ inputs, attrs, backend }: KernelCall<{ readonly momentum: number }>): TensorInfo[] {
    const { weight, gradient, velocity, rate } = inputs as { readonly [name: string]: TensorInfo };
    const made = [weight!, velocity!].map(({ shape }) => backend.makeOutput(shape, "float32"));
    const numbers = backend.makeOutput([2], "float32");
    backend.typedArrayFromHeap(numbers).set([attrs.momentum, backend.typedArrayFromHeap(rate!)[0]!]);
    const [w, g, u, at] = addressesOf(backend, [weight!, gradient!, velocity!, numbers]);
    const [nextW, nextU] = addressesOf(backend, made) as readonly [number, number];
    const told = { w, g, u, nextW, nextU, numbers: at };
    overElements(backend, "momentumUpdate", util.sizeFromShape(weight!.shape), told);
    backend.disposeData(numbers.dataId);
    return made;
  },
};
