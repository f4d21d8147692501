/** Latency of several files in one runtime, in turns, so that what else the machine does strikes all alike. */
import { readFileSync } from "node:fs";
import * as node from "onnxruntime-node";
import * as web from "onnxruntime-web";

type Runtime = Pick<typeof node, "InferenceSession" | "Tensor">;
/** Where files run: one thread each. */
export const RUNTIMES: { readonly [Name in "node" | "wasm"]: Runtime } = { node, wasm: web as unknown as Runtime };
web.env.wasm.numThreads = 1;

/** Milliseconds of a turn: short, so that what else the machine does strikes neighbours alike. */
const BLOCK = 15;

/** How long files take. */
export interface Latency {
  /** Medians over the rounds. */
  readonly milliseconds: Readonly<Record<string, number>>;
  /** The first file by each other one, round by round: first quartile, median, third quartile. */
  readonly firstBy: Readonly<Record<string, readonly number[]>>;
  /** The same of the fastest tenth of either's rounds, which what else the machine does has least to do with. */
  readonly fastestBy: Readonly<Record<string, number>>;
}

/** Runs the files in turns on one input. */
export async function interleaved(
  name: keyof typeof RUNTIMES,
  files: Readonly<Record<string, string>>,
  {
    values,
    shape,
    rounds,
  }: { readonly values: Float32Array; readonly shape: readonly number[]; readonly rounds: number },
): Promise<Latency> {
  const { InferenceSession, Tensor } = RUNTIMES[name];
  const runs: [string, () => Promise<unknown>][] = [];
  for (const [id, path] of Object.entries(files)) {
    const session = await InferenceSession.create(readFileSync(path), { intraOpNumThreads: 1, logSeverityLevel: 3 });
    const input = new Tensor("float32", values, [1, ...shape]);
    runs.push([id, () => session.run({ [session.inputNames[0]!]: input })]);
  }
  const found: Record<string, number[]> = Object.fromEntries(runs.map(([id]) => [id, []]));
  for (let round = -1; round < rounds; round++) {
    // Each round begins with another: whoever comes behind the largest finds the caches emptied.
    for (let turn = 0; turn < runs.length; turn++) {
      const [id, run] = runs[(turn + Math.max(0, round)) % runs.length]!;
      let count = 0;
      const start = performance.now();
      while (performance.now() - start < BLOCK) {
        await run();
        count++;
      }
      const each = (performance.now() - start) / count;
      // The first round warms up.
      if (round >= 0) found[id]!.push(Number(each.toFixed(5)));
    }
  }
  const [[, first], ...others] = Object.entries(found) as [[string, number[]], ...[string, number[]][]];
  return {
    milliseconds: Object.fromEntries(Object.entries(found).map(([id, times]) => [id, quantile(times, 0.5)])),
    firstBy: Object.fromEntries(
      others.map(([id, times]) => {
        const each = first.map((time, round) => time / times[round]!);
        return [id, [0.25, 0.5, 0.75].map((share) => Number(quantile(each, share).toFixed(3)))];
      }),
    ),
    fastestBy: Object.fromEntries(
      others.map(([id, times]) => [id, Number((quantile(first, 0.1) / quantile(times, 0.1)).toFixed(3))]),
    ),
  };
}

/** The value below which a share of all lie. */
export function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(share * (values.length - 1))]!;
}
