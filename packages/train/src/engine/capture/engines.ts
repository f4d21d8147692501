/** Which recorder the engine of this process has: graphs of TensorFlow, or kernels of the wasm backend one after the other. */
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { differenceOf } from "../replay/compare.ts";
import { dropRecording, type KernelRecording, recordKernels } from "../replay/record-kernels.ts";
import { replay } from "../replay/replay.ts";
import { tensorflowBackend } from "./binding.ts";
import type { Precision } from "./half-precision.ts";
import { loadProgram } from "./program.ts";
import { reconcile } from "./reconcile.ts";
import { type Recording, recordStep } from "./recorder.ts";
import type { StepRecorder } from "./step-recorder.ts";

/** The recorder of the current engine; `undefined` for an engine that has none, or none for steps with feeds. */
export function recorderOfEngine(precision: Precision, hasFeeds: boolean): StepRecorder<unknown> | undefined {
  if (tensorflowBackend() !== undefined) return graphRecorder(precision) as StepRecorder<unknown>;
  // What follows a feed is found among a graph's constants only.
  if (tf.getBackend() === "wasm" && !hasFeeds) return kernelRecorder() as StepRecorder<unknown>;
  return undefined;
}

function graphRecorder(precision: Precision): StepRecorder<Recording> {
  const backend = tensorflowBackend()!;
  return {
    record: (inputs, step) => recordStep(backend, inputs, step),
    reconcile(one, other) {
      const result = reconcile(one, other);
      return "reason" in result ? result : { load: () => loadProgram(backend, result, precision) };
    },
    drop: () => undefined,
  };
}

function kernelRecorder(): StepRecorder<KernelRecording> {
  const backend = tf.backend() as BackendWasm;
  return {
    record: (inputs, step) => recordKernels(backend, inputs, step),
    reconcile: ({ recording: one }, { recording: other }) =>
      differenceOf(one, other) ?? { load: () => replay(backend, other) },
    drop: dropRecording,
  };
}
