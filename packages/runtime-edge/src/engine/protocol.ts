/** What a page and its engine's worker say to each other. */
import { DistillateError, isDistillateError } from "@distillate/bundle";
import type { EngineInput, EngineOpened, EngineOutput, EngineSetup } from "./engine.ts";

/** To the worker. The first request opens, the others run. */
export type Request =
  | { readonly id: number; readonly kind: "open"; readonly setup: EngineSetup }
  | { readonly id: number; readonly kind: "run"; readonly input: EngineInput };

/** From the worker: that it listens, the answer to one request, or news. */
export type Reply =
  | { readonly listening: true }
  | { readonly id: number; readonly ok: true; readonly value: EngineOpened | EngineOutput }
  | { readonly id: number; readonly ok: false; readonly error: PlainError }
  | { readonly lost: PlainError };

/** An error as it crosses threads: classes do not survive, words do. */
export interface PlainError {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

/** Takes an error apart. What is not ours is a failed engine, as onnxruntime throws strings and bare numbers too. */
export function toPlainError(error: unknown): PlainError {
  if (isDistillateError(error)) return { code: error.code, message: error.message, hint: error.hint };
  return {
    code: "engine-failed",
    message: `onnxruntime failed: ${(error as Error)?.message ?? error}`,
    hint: "A fresh engine is started by itself; if it fails again, check the input's shape and the model with `distillate verify`.",
  };
}

/** Puts it together again. */
export function fromPlainError(error: PlainError): DistillateError {
  return new DistillateError(error);
}
