/** Latency of all targets in turns, with the energy that their blocks took. */
import type { Host } from "../host.ts";
import { countedBlocks, type Measurable, type Measurement, measureInterleaved } from "../measure.ts";
import type { TargetReport } from "../report/schema.ts";
import { summarize } from "../statistics.ts";
import type { NamedRule } from "../stop-rule.ts";
import { energyOf, readJoules } from "./energy.ts";

/** Length of a block, milliseconds. */
export const BLOCK_MILLISECONDS = 100;
/** No more than so much is lost when the benchmark itself dies. */
const SAVE_MILLISECONDS = 10_000;

/** One target's results. */
export type LatencyReport = NonNullable<TargetReport["latency"]>;

/** How, and who hears of it. */
export interface LatencyOptions {
  readonly rule: NamedRule;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly onFailure: (id: string, error: unknown) => void;
  readonly onProgress: (done: number, total: number) => void;
  /** Takes what there is so far, now and then and at the end. */
  readonly onResults: (results: ReadonlyMap<string, LatencyReport>) => Promise<void>;
}

/** Measures all of them. */
export async function measureLatency(
  ids: readonly string[],
  hostOf: (id: string) => Host,
  options: LatencyOptions,
): Promise<void> {
  const joules = new Map<string, number>();
  const sofar = new Map<string, Measurement>();
  const targets = ids.map(
    (id): Measurable => ({
      id,
      async block(milliseconds) {
        const before = await readJoules();
        const block = await hostOf(id).block(id, milliseconds, 1);
        const after = await readJoules();
        // The counters start again at zero now and then: that block has nothing to say.
        if (before !== undefined && after !== undefined && after >= before) {
          joules.set(id, (joules.get(id) ?? 0) + after - before);
        }
        return block;
      },
    }),
  );
  // Summaries of many thousand samples take their time: they are made when they are written.
  const settle = (): Promise<void> =>
    options.onResults(new Map([...sofar].map(([id, measured]) => [id, latencyOf(measured, joules.get(id))])));
  let [blocks, saved] = [0, performance.now()];
  const expected = (ids.length * options.rule.milliseconds) / BLOCK_MILLISECONDS;
  await measureInterleaved(targets, {
    rule: options.rule,
    seed: options.seed,
    signal: options.signal,
    blockMilliseconds: Math.min(BLOCK_MILLISECONDS, options.rule.milliseconds),
    patience: options.rule.patience,
    async onBlock({ id }, measurement) {
      sofar.set(id, measurement);
      if (measurement.error !== undefined) options.onFailure(id, measurement.error);
      options.onProgress(Math.min(++blocks, expected), expected);
      if (performance.now() - saved < SAVE_MILLISECONDS) return;
      await settle();
      saved = performance.now();
    },
  });
  await settle();
}

function latencyOf({ blocks, invalid }: Measurement, joules: number | undefined): LatencyReport {
  const counted = countedBlocks(blocks);
  const runs = blocks.reduce((sum, { samples, batch }) => sum + samples.length * batch, 0);
  const cpu = blocks.reduce((sum, { cpuMilliseconds }) => sum + (cpuMilliseconds ?? Number.NaN), 0);
  const perRun = Number.isNaN(cpu) || runs === 0 ? undefined : cpu / runs;
  return {
    blocks: blocks.map((block) => ({
      ...block,
      calibration: [...block.calibration],
      noticed: block.noticed && [...block.noticed],
    })),
    summary: counted.length > 0 ? summarize(counted.flatMap(({ samples }) => samples)) : undefined,
    invalid,
    cpuMillisecondsPerRun: perRun,
    energy: energyOf(joules, perRun, runs),
  };
}
