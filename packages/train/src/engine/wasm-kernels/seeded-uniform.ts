/** Random numbers of a seed and a step as a kernel, so that a step that draws them can be recorded: see ../seeded-uniform.ts. */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { nextUnit, randomFor } from "../../random.ts";
import { SEEDED_UNIFORM } from "../seeded-uniform.ts";
import { heapViews, type KernelCall, type WasmKernel } from "./kernel.ts";

interface Attributes {
  readonly shape: readonly number[];
  readonly seed: number;
}

export const seededUniform: WasmKernel = {
  name: SEEDED_UNIFORM,
  run({ inputs, attrs: { shape, seed }, backend }: KernelCall<Attributes>): TensorInfo {
    const [step] = backend.typedArrayFromHeap(inputs.step!);
    const random = randomFor(seed, step!);
    const { output, out } = heapViews(backend, shape, {});
    for (let i = 0; i < out.length; i++) out[i] = nextUnit(random);
    return output;
  },
};
