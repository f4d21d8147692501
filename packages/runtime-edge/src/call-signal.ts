import { DistillateError } from "@distillate/bundle";
import { after } from "./timer.ts";

/**
 * One signal out of a caller's own and a time limit in milliseconds. Release it when the call is over.
 * `AbortSignal.any` and `AbortSignal.timeout` say less about why and are missing in browsers that people still use.
 */
export function callSignal(
  signal: AbortSignal | undefined,
  timeout: number | undefined,
): { readonly signal: AbortSignal; abort(reason: unknown): void; release(): void } {
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(signal!.reason);
  if (signal?.aborted) onAbort();
  signal?.addEventListener("abort", onAbort, { once: true });
  const cancel = timeout === undefined ? () => {} : after(timeout, () => controller.abort(timedOut(timeout)));
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    release() {
      cancel();
      signal?.removeEventListener("abort", onAbort);
    },
  };
}

function timedOut(timeout: number): DistillateError {
  return new DistillateError({
    code: "timeout",
    message: `no result within ${timeout} ms`,
    hint: "Raise `timeout`; `model.stats()` shows how long calls take and wait on this device.",
  });
}
