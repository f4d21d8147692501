/** How long the files of a search take, all of them in turns, so that their latencies can be held against each other. */
import { join } from "node:path";
import type { NamedRule } from "@distillate/bench";
import { inputsOfBundle } from "../bench/bench-inputs.ts";
import { measureInTurns, type TurnOptions } from "../bench/measure-in-turns.ts";
import { openBundle } from "../commands/model-files.ts";

/** Short: it places files that differ by their width on a logarithmic axis; `distillate bench` is for numbers to quote. */
const RULE: NamedRule = {
  name: "search",
  runs: 64,
  milliseconds: 4_000,
  together: 30_000,
  patience: 1,
  coldStarts: 0,
};
const SAMPLES = 100;

/** Medians of single calls by variant, milliseconds; a file that failed has none. */
export type Latency = ReadonlyMap<string, number>;

/**
 * Measures every variant of some bundles in onnxruntime-node on one thread.
 *
 * @param bundles - Directories of bundles for the same data, by what they are called.
 */
export async function measureLatency(
  bundles: ReadonlyMap<string, string>,
  options: Pick<TurnOptions, "seed" | "signal" | "onEvent">,
): Promise<ReadonlyMap<string, Latency>> {
  const opened = await Promise.all(
    [...bundles].map(async ([name, path]) => ({ name, path, bundle: await openBundle(path) })),
  );
  const files = opened.flatMap(({ name, path, bundle }) =>
    bundle.manifest.variants.map(({ id, file }) => ({ model: `${name}/${id}`, path: join(path, file.path) })),
  );
  const [first] = opened;
  if (first === undefined) return new Map();
  const inputs = await inputsOfBundle(first.path, first.bundle, { samples: SAMPLES });
  const { targets } = await measureInTurns("a search", files, inputs, { ...options, targets: "node", rule: RULE });
  const medianOf = (model: string): number | undefined =>
    targets.find((target) => target.model === model)?.latency?.summary?.p50;
  return new Map(
    opened.map(({ name, bundle }) => {
      const measured = bundle.manifest.variants.flatMap(({ id }) => {
        const median = medianOf(`${name}/${id}`);
        return median === undefined ? [] : [[id, median] as const];
      });
      return [name, new Map(measured)];
    }),
  );
}
