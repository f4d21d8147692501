import * as tf from "@tensorflow/tfjs-core";
import type { OpAttr, TensorflowBackend } from "../capture/binding.ts";

/** What a kernel of ours is called with. */
export interface KernelCall<Attributes> {
  readonly inputs: { readonly [name: string]: tf.Tensor };
  readonly attrs: Attributes;
  readonly backend: TensorflowBackend;
}

/** A kernel for tfjs-node's backend; runs instead of the stock one where there is one. */
export interface TensorflowKernel {
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: each kernel knows its own attributes; tfjs types them all as unknown
  run(call: KernelCall<any>): tf.Tensor | tf.Tensor[];
}

/** Registers a kernel, replacing the stock one. */
export function installKernel({ name, run }: TensorflowKernel): void {
  if (tf.getKernel(name, "tensorflow")) tf.unregisterKernel(name, "tensorflow");
  tf.registerKernel({ kernelName: name, backendName: "tensorflow", kernelFunc: run as unknown as tf.KernelFunc });
}

/** Puts a gradient in the place of tfjs' own. It holds for every engine of the process, and a process has one. */
export function installGradient(config: tf.GradConfig): void {
  if (tf.getGradient(config.kernelName)) tf.unregisterGradient(config.kernelName);
  tf.registerGradient(config);
}

/** An attribute that names a type; float32 unless told otherwise. */
export function typeAttr({ binding }: TensorflowBackend, name: string, value = 1): OpAttr {
  return { name, type: binding.TF_ATTR_TYPE, value };
}

/** An attribute that is text. */
export function textAttr({ binding }: TensorflowBackend, name: string, value: string): OpAttr {
  return { name, type: binding.TF_ATTR_STRING, value };
}

/** An attribute that is true or false. */
export function flagAttr({ binding }: TensorflowBackend, name: string, value: boolean): OpAttr {
  return { name, type: binding.TF_ATTR_BOOL, value };
}

/** An attribute that is a real number. */
export function realAttr({ binding }: TensorflowBackend, name: string, value: number): OpAttr {
  return { name, type: binding.TF_ATTR_FLOAT, value };
}
