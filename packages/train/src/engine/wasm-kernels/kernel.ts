import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import {
  type GradConfig,
  getGradient,
  getKernel,
  type KernelFunc,
  registerGradient,
  registerKernel,
  type TensorInfo,
  unregisterGradient,
  unregisterKernel,
} from "@tensorflow/tfjs-core";

/** What a kernel of ours is called with. */
export interface KernelCall<Attributes> {
  readonly inputs: { readonly [name: string]: TensorInfo };
  readonly attrs: Attributes;
  readonly backend: BackendWasm;
}

/** A kernel for the wasm backend; runs instead of the stock one where there is one. */
export interface WasmKernel {
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: each kernel knows its own attributes; tfjs types them all as unknown
  run(call: KernelCall<any>): TensorInfo | TensorInfo[];
}

/** The backend's own kernel, for what one of ours leaves to it: to be asked for before ours is registered. */
export function stockKernel(name: string): (call: unknown) => TensorInfo {
  return getKernel(name, "wasm").kernelFunc as unknown as (call: unknown) => TensorInfo;
}

/** Registers a kernel, replacing the stock one. */
export function installKernel({ name, run }: WasmKernel): void {
  if (getKernel(name, "wasm")) unregisterKernel(name, "wasm");
  registerKernel({ kernelName: name, backendName: "wasm", kernelFunc: run as unknown as KernelFunc });
}

/** Puts a gradient in the place of tfjs' own. It holds for every engine of the process, and a process has one. */
export function installGradient(config: GradConfig): void {
  if (getGradient(config.kernelName)) unregisterGradient(config.kernelName);
  registerGradient(config);
}

/** Where tensors lie on the heap, in bytes: as long as they are there, unlike a view, which an allocation may detach. */
export function addressesOf<const Infos extends readonly TensorInfo[]>(
  backend: BackendWasm,
  infos: Infos,
): { readonly [place in keyof Infos]: number } {
  const addresses = infos.map(({ dataId }) => backend.dataIdMap.get(dataId).memoryOffset);
  return addresses as { [place in keyof Infos]: number };
}

/**
 * Makes the output first and only then the views: an allocation may grow the heap, which detaches views taken before it.
 */
export function heapViews<Name extends string>(
  backend: BackendWasm,
  shape: readonly number[],
  inputs: { readonly [key in Name]: TensorInfo },
): {
  readonly output: TensorInfo;
  readonly out: Float32Array;
  readonly views: { readonly [key in Name]: Float32Array };
} {
  const output = backend.makeOutput([...shape], "float32");
  const views = viewsOf(backend, inputs);
  return { output, out: backend.typedArrayFromHeap(output) as Float32Array, views };
}

/** Tensors of floats as they lie on the heap, until the next allocation. */
export function viewsOf<Name extends string>(
  backend: BackendWasm,
  infos: { readonly [key in Name]: TensorInfo },
): { readonly [key in Name]: Float32Array } {
  return Object.fromEntries(
    Object.entries<TensorInfo>(infos).map(([name, info]) => [name, backend.typedArrayFromHeap(info) as Float32Array]),
  ) as { [key in Name]: Float32Array };
}
