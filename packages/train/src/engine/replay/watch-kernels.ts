/**
 * Sees which kernels of the wasm backend a step runs: for as long as it does, each kernel of the registry is one that tells before
 * it returns.
 */
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";

/** Told of everything that one step does. */
export interface KernelWatcher {
  ran(
    kernel: string,
    run: tf.KernelFunc,
    inputs: Readonly<Record<string, tf.TensorInfo>>,
    attrs: tf.NamedAttrMap | undefined,
    outputs: readonly tf.TensorInfo[],
  ): void;
  read(): void;
}

/** Runs `body`; the watcher sees every kernel that it runs, but not what those do inside. Steps do not nest. */
export function watchKernels<Result>(backend: BackendWasm, watcher: KernelWatcher, body: () => Result): Result {
  const kernels = tf.getKernelsForBackend("wasm") as { kernelName: string; kernelFunc: tf.KernelFunc }[];
  const originals = kernels.map(({ kernelFunc }) => kernelFunc);
  let isInside = false;
  for (const [i, kernel] of kernels.entries()) {
    const run = originals[i]!;
    kernel.kernelFunc = (call) => {
      if (isInside) return run(call);
      isInside = true;
      let made: tf.TensorInfo | tf.TensorInfo[];
      try {
        made = run(call);
      } finally {
        isInside = false;
      }
      const outputs = Array.isArray(made) ? made : [made];
      watcher.ran(kernel.kernelName, run, call.inputs as Record<string, tf.TensorInfo>, call.attrs, outputs);
      return made;
    };
  }
  const { readSync } = Object.getPrototypeOf(backend) as BackendWasm;
  backend.readSync = (...where) => {
    if (!isInside) watcher.read();
    return readSync.apply(backend, where);
  };
  try {
    return body();
  } finally {
    delete (backend as Partial<BackendWasm>).readSync;
    for (const [i, kernel] of kernels.entries()) kernel.kernelFunc = originals[i]!;
  }
}
