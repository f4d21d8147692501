/** How long the files of a search take, all of them in turns, so that their latencies can be held against each other. */
import { basename, join } from "node:path";
import type { NamedRule } from "@distillate/bench";
import { LATENCY_ALONE, runBench } from "@distillate/bench/node";
import { inputsOfBundle } from "../bench/bench-inputs.ts";
import { targetsOf } from "../bench/bench-targets.ts";
import { openBundle } from "../commands/model-files.ts";
import { TOOL_VERSION } from "../version.ts";

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
  { signal, seed }: { readonly signal: AbortSignal; readonly seed: number },
): Promise<ReadonlyMap<string, Latency>> {
  const opened = await Promise.all(
    [...bundles].map(async ([name, path]) => ({ name, path, bundle: await openBundle(path) })),
  );
  const files = opened.flatMap(({ name, path, bundle }) =>
    bundle.manifest.variants.map(({ id, file }) => ({ model: `${name}/${id}`, path: join(path, file.path) })),
  );
  const [first] = opened;
  if (first === undefined) return new Map();
  const { inputs, source } = await inputsOfBundle(first.path, first.bundle, { samples: SAMPLES });
  const { targets } = await runBench({
    subject: basename(first.path),
    tool: `distillate ${TOOL_VERSION}`,
    targets: targetsOf(files, [], { targets: "node", threads: "1" }),
    inputs,
    inputSource: source,
    rule: RULE,
    seed,
    ...LATENCY_ALONE,
    signal,
    now: () => new Date(),
    onEvent: () => undefined,
    onReport: async () => undefined,
  });
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
