/**
 * From scores that come many times a second to single detections: a class counts when it reaches the threshold, and once
 * detected it rests (MLPerf Tiny's streaming wake word: one second).
 */

/** When a class counts as detected. */
export interface DetectorOptions {
  /** Score to reach, 0 to 1. */
  readonly threshold: number;
  /** Milliseconds for which a detected class is not detected again. */
  readonly rest: number;
}

/** Finds detections. */
export interface Detector {
  /** Whether this answer is a new detection; `at` in milliseconds, never falling. */
  push(index: number, score: number, at: number): boolean;
}

/** A class that holds its score is detected again after each rest. */
export function createDetector({ threshold, rest }: DetectorOptions): Detector {
  const detected = new Map<number, number>();
  return {
    push(index, score, at) {
      // Written so that NaN is no detection.
      if (!(score >= threshold)) return false;
      const before = detected.get(index);
      if (before !== undefined && at - before < rest) return false;
      detected.set(index, at);
      return true;
    },
  };
}
