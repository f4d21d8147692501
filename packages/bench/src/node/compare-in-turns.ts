/**
 * Base and head in turns of one measurement, and once more, three times as long, where a time looks worse than its limit: a slowdown that
 * the first could not be sure of is then found, and one that only chance showed is gone.
 */
import { type Compared, type Comparison, comparePairs, type Pair } from "../report/compare-reports.ts";
import type { Limit } from "../report/gate.ts";
import { PERCENTILES } from "../statistics.ts";
import type { NamedRule } from "../stop-rule.ts";

/** How many times as long the second measurement takes. */
const LONGER = 3;

/** How to compare. */
export interface InTurnsOptions {
  readonly rule: NamedRule;
  readonly seed: number;
  readonly limits: readonly Limit[];
}

/**
 * Compares what `measure` measures. The verdict is the second measurement's where there is one; a note says why it was made.
 *
 * @param measure - Measures base and head of each target in the same rounds.
 */
export async function compareInTurns(
  measure: (rule: NamedRule, seed: number) => Promise<readonly Pair[]>,
  { rule, seed, limits }: InTurnsOptions,
): Promise<Compared> {
  const once = async (rule: NamedRule, seed: number): Promise<Compared> =>
    comparePairs(await measure(rule, seed), limits, { labels: undefined, seed, paired: true });
  const first = await once(rule, seed);
  const worse = first.comparisons.filter(looksWorse);
  // A file's size does not change, nor does one that no longer runs.
  const isSure =
    first.failed && !first.comparisons.some(({ metric, verdict }) => verdict === "failed" && metric in PERCENTILES);
  if (worse.length === 0 || isSure) return first;

  const longer = {
    ...rule,
    milliseconds: LONGER * rule.milliseconds,
    ...(rule.together !== undefined && { together: LONGER * rule.together }),
  };
  const second = await once(longer, seed + 1);
  const found = worse.map(
    ({ target, metric, change: { estimate, low, high } }) =>
      `${metric} of ${target}, ${estimate.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)}) times the base's`,
  );
  const note = `this is the second measurement, ${LONGER} times as long; the first found ${found.join("; ")}`;
  return { ...second, notes: [...second.notes, note] };
}

function looksWorse({ metric, limit, change }: Comparison): boolean {
  return limit !== undefined && metric in PERCENTILES && change.estimate > 1 + limit.worse;
}
