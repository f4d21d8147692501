/** What a reader must know beside the table. */
import type { BenchReport } from "./schema.ts";

/** Lines: references, what is invalid or failed and why, notes. */
export function footnotes({ targets, inputs, settings, notes }: BenchReport): readonly string[] {
  const reference = targets.find(({ quality }) => quality?.reference !== undefined)?.quality?.reference;
  const energies = new Set(targets.flatMap(({ latency }) => latency?.energy?.assumption ?? []));
  const batched = targets.filter(({ latency }) => latency?.blocks.some(({ batch }) => batch > 1));
  return [
    `Inputs: ${inputs.source}. Stop rule ${settings.rule}: at least ${settings.runs} runs and ${settings.milliseconds / 1000} s each, in turns by seed ${settings.seed}.`,
    ...(reference === undefined ? [] : [`"agrees" is with ${reference}.`]),
    ...[...energies].map((assumption) => `mJ: ${assumption}.`),
    ...(batched.length === 0
      ? []
      : [
          `Where the clock is too coarse for one call, a sample is the mean of several: ${batched.map(({ id }) => id).join("; ")}.`,
        ]),
    ...targets.flatMap(({ id, latency }) =>
      latency?.invalid === undefined ? [] : [`INVALID ${id}: ${latency.invalid}.`],
    ),
    ...targets.flatMap(({ id, problem }) =>
      problem === undefined ? [] : [`FAILED ${id}: ${problem.message.replace(/\.$/, "")}. ${problem.hint}`],
    ),
    ...targets.flatMap(({ id, tiny }) =>
      tiny === undefined
        ? []
        : [
            `MLPerf Tiny, ${tiny.task} (not an official result) ${id}: ${tiny.inferencesPerSecond.toFixed(1)} inferences a second, the median of ${tiny.windows.length} windows; ${tiny.metric} ${tiny.quality === undefined ? "not measured" : tiny.quality.toFixed(3)}, target ${tiny.target}${tiny.passed === undefined ? "" : tiny.passed ? " reached" : " missed"}.`,
          ],
    ),
    ...notes.map(({ message }) => `Note: ${message}.`),
  ];
}
