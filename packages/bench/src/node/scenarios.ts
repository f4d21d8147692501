/** What is measured of one target on its own, after or before all were measured in turns. */
import { compareStretches } from "../drift.ts";
import type { Host, Memory } from "../host.ts";
import type { TargetReport } from "../report/schema.ts";
import { summarize } from "../statistics.ts";
import type { Phases, TargetSpec } from "../target.ts";
import { TINY_WINDOWS } from "../tiny.ts";
import type { Places } from "./places.ts";

const OFFLINE_MILLISECONDS = 500;
/** Enough frames for a p90 at 20 a second. */
const LEAST_PACED_MILLISECONDS = 4_000;
/** Stretches that a sustained run is cut into. */
const STRETCHES = 200;
const LEAST_STRETCH_MILLISECONDS = 100;

/** From nothing to the first result, in a fresh place each time; then once more with the browser's cache filled, where there is one. */
export async function coldStart(
  spec: TargetSpec,
  places: Places,
  count: number,
): Promise<NonNullable<TargetReport["coldStart"]>> {
  const starts: Phases[] = [];
  const warmStarts: Phases[] = [];
  let memory: Memory | undefined;
  for (let i = 0; i < count; i++) {
    const host = places.fresh(spec);
    try {
      starts.push((await host.open(places.located(spec), false)).phases);
      if (i === count - 1) memory = await host.memory();
      if (await host.reenter()) warmStarts.push((await host.open(places.located(spec), false)).phases);
    } finally {
      await host.close();
    }
  }
  return { starts, ...(warmStarts.length > 0 && { warmStarts }), memory };
}

/** Many samples a call. */
export async function offline(
  id: string,
  host: Host,
  rowsPerCall: number,
): Promise<NonNullable<TargetReport["offline"]>> {
  const { samples } = await host.block(id, OFFLINE_MILLISECONDS, rowsPerCall);
  return { rowsPerCall, samples, samplesPerSecond: (1000 * rowsPerCall) / summarize(samples).p50 };
}

/** Frames at their own moments, for as long as the stop rule says. */
export async function paced(
  id: string,
  host: Host,
  framesPerSecond: number,
  milliseconds: number,
): Promise<NonNullable<TargetReport["paced"]>> {
  const seconds = Math.max(LEAST_PACED_MILLISECONDS, milliseconds) / 1000;
  const result = await host.paced(id, framesPerSecond, Math.ceil(seconds * framesPerSecond));
  return { ...result, summary: result.samples.length > 0 ? summarize(result.samples) : undefined };
}

/** Inferences a second in each of MLPerf Tiny's windows. */
export async function tinyWindows(id: string, host: Host, signal: AbortSignal): Promise<readonly number[]> {
  const windows: number[] = [];
  for (let i = 0; i < TINY_WINDOWS.count; i++) {
    signal.throwIfAborted();
    const { samples, milliseconds, batch } = await host.block(id, TINY_WINDOWS.milliseconds, 1);
    windows.push((1000 * samples.length * batch) / milliseconds);
  }
  return windows;
}

/** Calls for minutes, stretch by stretch. */
export async function sustained(
  id: string,
  host: Host,
  seconds: number,
  signal: AbortSignal,
): Promise<NonNullable<TargetReport["sustained"]>> {
  const stretches = [];
  const stretch = Math.max(LEAST_STRETCH_MILLISECONDS, (seconds * 1000) / STRETCHES);
  let elapsed = 0;
  while (elapsed < seconds * 1000) {
    signal.throwIfAborted();
    const block = await host.block(id, stretch, 1);
    stretches.push({ ...block, at: elapsed / 1000 });
    elapsed += block.milliseconds;
  }
  return { seconds, ...compareStretches(stretches) };
}
