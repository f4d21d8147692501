/** What the runtime says of itself while it works. Nothing is printed and nothing is sent anywhere: the caller decides. */
import type { BackendName } from "./backends/backend.ts";

/** Bytes that have arrived, over all files of a load. */
export interface LoadProgress {
  /** The file that moves now, as the manifest or the runtime names it. */
  readonly file: string;
  readonly fileReceived: number;
  readonly fileTotal: number | undefined;
  readonly received: number;
  /** Sum over the files known so far; grows while variants are chosen. */
  readonly total: number;
}

/** Everything that happens apart from results; `kind` tells which. */
export type RuntimeEvent =
  /** A storage place cannot be used here, or a write did not fit; what follows is kept in memory. */
  | { readonly kind: "store-unavailable" | "store-full"; readonly store: string; readonly message: string }
  /** A stored file did not have its hash any more; it was removed and is fetched again. */
  | { readonly kind: "store-corrupt"; readonly file: string }
  | {
      readonly kind: "file";
      readonly file: string;
      readonly from: "network" | "store" | "source";
      readonly bytes: number;
    }
  | { readonly kind: "download-retry"; readonly file: string; readonly attempt: number; readonly message: string }
  /** The manifest could not be fetched again; the stored one serves. */
  | { readonly kind: "offline"; readonly url: string; readonly message: string }
  /** A way to run the model was tried and not taken. */
  | {
      readonly kind: "attempt-failed";
      readonly backend: BackendName;
      readonly variant: string;
      readonly message: string;
    }
  | { readonly kind: "ready"; readonly backend: BackendName; readonly variant: string; readonly milliseconds: number }
  /** The engine is gone, and a fresh one takes its place. */
  | { readonly kind: "engine-restarted"; readonly reason: RestartReason; readonly message: string }
  /** A call is made once more on the fresh engine. */
  | { readonly kind: "run-retried"; readonly message: string }
  | { readonly kind: "run"; readonly milliseconds: RunTimes; readonly waiting: number }
  | { readonly kind: "run-failed"; readonly code: string; readonly message: string }
  | { readonly kind: "update"; readonly state: UpdateState; readonly semver: string; readonly message?: string };

/** Why an engine was replaced. */
export type RestartReason = "aborted" | "timeout" | "hung" | "lost" | "failed" | "recycled";

/** Where an update stands. */
export type UpdateState = "staged" | "activated" | "rejected" | "rolled-back";

/** Milliseconds of one call. */
export interface RunTimes {
  /** Waiting for earlier calls. */
  readonly queue: number;
  /** From decoded input to tensors. */
  readonly prepare: number;
  /** In onnxruntime. */
  readonly run: number;
  /** From call to result. */
  readonly total: number;
}

/** Takes events; what it throws is not caught. */
export type OnEvent = (event: RuntimeEvent) => void;
