/** Known inputs with known outputs, computed on this device: a GPU or a build that calculates wrongly is found before it is used. */
import type { Manifest, ProbeData, Variant } from "@distillate/bundle";
import type { EngineInput, EngineOutput } from "./engine/engine.ts";

/** How a device did on the bundle's probe. */
export interface SelfTestReport {
  readonly ok: boolean;
  readonly samples: number;
  /** Largest absolute difference of an output from the float model's; not a number where the device computed none. */
  readonly difference: number;
  readonly tolerance: number;
  /** Milliseconds of the median call on one sample, preparation not included. */
  readonly median: number;
}

/** Where the bundle states no tolerance, a variant may differ by this much. */
const DEFAULT_TOLERANCE = 1e-3;
/** Calls that are timed, and milliseconds after which no further one begins. */
const TIMED_RUNS = 5;
const TIMED_BUDGET = 100;

/** Runs the probe through `run`, then times it on the first sample. */
export async function selfTest(
  run: (input: EngineInput) => Promise<EngineOutput>,
  manifest: Manifest,
  variant: Variant["id"],
  probe: ProbeData,
): Promise<SelfTestReport> {
  const { name, shape } = manifest.inputs[0]!;
  const output = manifest.outputs[0]!.name;
  const row = shape.slice(1).map(Number);
  const size = row.reduce((product, side) => product * side, 1);
  const tolerance = manifest.probe?.tolerance[variant] ?? DEFAULT_TOLERANCE;
  const inputOf = (first: number, count: number): EngineInput => ({
    kind: "tensors",
    tensors: { [name]: { data: probe.inputs.slice(first * size, (first + count) * size), dims: [count, ...row] } },
  });

  const { outputs } = await run(inputOf(0, probe.samples));
  const found = outputs[output]!.data;
  let difference = found.length === probe.outputs.length ? 0 : Number.NaN;
  for (const [i, expected] of probe.outputs.entries()) {
    const distance = Math.abs(Number(found[i]) - expected);
    // Unlike a comparison, `Math.max` lets NaN stay.
    difference = Math.max(difference, distance);
  }

  const times: number[] = [];
  const started = performance.now();
  while (times.length < TIMED_RUNS && performance.now() - started < TIMED_BUDGET) {
    times.push((await run(inputOf(0, 1))).milliseconds.run);
  }
  times.sort((a, b) => a - b);
  return {
    ok: difference <= tolerance,
    samples: probe.samples,
    difference,
    tolerance,
    median: times[times.length >> 1] ?? Number.NaN,
  };
}
