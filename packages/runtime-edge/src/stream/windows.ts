/** Sound in pieces of any length, cut into windows of one length that begin every `hop` samples. A ring buffer: nothing is moved. */
import { DistillateError } from "@distillate/bundle";

/** Cuts windows. */
export interface Windows {
  /** Takes samples; returns the windows that they complete, each a copy. */
  push(samples: Float32Array): readonly Float32Array[];
}

/**
 * @param length samples a window.
 * @param hop samples from the beginning of one to that of the next, 1 to `length`.
 * @throws DistillateError `option-invalid`.
 */
export function createWindows(length: number, hop: number): Windows {
  if (!Number.isInteger(length) || !Number.isInteger(hop) || hop < 1 || hop > length) {
    throw new DistillateError({
      code: "option-invalid",
      message: `windows of ${length} samples every ${hop}, expected whole numbers with 1 <= hop <= window`,
      hint: "One second every half second at 16 kHz is `window: 16000, hop: 8000`.",
    });
  }
  const ring = new Float32Array(length);
  let written = 0;
  /** How many samples must have come for the next window. */
  let due = length;
  return {
    push(samples) {
      const complete: Float32Array[] = [];
      for (let from = 0; from < samples.length; ) {
        const at = written % length;
        const count = Math.min(samples.length - from, length - at, due - written);
        ring.set(samples.subarray(from, from + count), at);
        from += count;
        written += count;
        if (written === due) {
          const start = written % length;
          const window = new Float32Array(length);
          window.set(ring.subarray(start));
          window.set(ring.subarray(0, start), length - start);
          complete.push(window);
          due += hop;
        }
      }
      return complete;
    },
  };
}
