/** Blocks: short stretches of calls one after the other, the machine's own pace taken before and after. */
import type { Calibrate } from "./calibration.ts";
import type { Clock } from "./clock.ts";

/** What one block gave. */
export interface Block {
  /** Milliseconds a call, in order. */
  readonly samples: readonly number[];
  /** Calls a sample is the mean of: 1 unless the clock is too coarse for one call. */
  readonly batch: number;
  /** Length of the block, calibration not included. */
  readonly milliseconds: number;
  readonly calibration: readonly [before: number, after: number];
  /** Processor time of the process in this block, where it can be read. */
  readonly cpuMilliseconds?: number | undefined;
  /** What happened to a page meanwhile, such as `hidden`; see `page/surroundings.ts`. */
  readonly noticed?: readonly string[] | undefined;
}

/** What a block needs. */
export interface BlockContext {
  readonly clock: Clock;
  readonly calibrate: Calibrate;
  /** Calls a sample. */
  readonly batch: number;
  /** Processor milliseconds used so far by this process. */
  readonly cpu?: (() => number) | undefined;
}

/** Calls until so many milliseconds have gone by; at least one sample. */
export async function runBlock(
  call: () => Promise<unknown>,
  milliseconds: number,
  { clock, calibrate, batch, cpu }: BlockContext,
): Promise<Block> {
  const before = calibrate();
  const samples: number[] = [];
  const cpuFrom = cpu?.();
  const begin = clock.now();
  let from = begin;
  do {
    for (let i = 0; i < batch; i++) await call();
    const now = clock.now();
    samples.push((now - from) / batch);
    from = now;
  } while (from - begin < milliseconds);
  const cpuMilliseconds = cpu && cpuFrom !== undefined ? cpu() - cpuFrom : undefined;
  return { samples, batch, milliseconds: from - begin, calibration: [before, calibrate()], cpuMilliseconds };
}
