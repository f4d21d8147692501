import { getBackend } from "@tensorflow/tfjs-core";

/** Whether this process' engine computes on one core, so that several workers are faster than one. */
export function computesOnOneCore(): boolean {
  return getBackend() === "wasm";
}
