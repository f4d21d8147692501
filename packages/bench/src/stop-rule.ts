/** When a measurement is enough: so many runs and so much time, both, as MLPerf Mobile's presets have it. */

/** Least runs and least milliseconds spent in them. */
export interface StopRule {
  readonly runs: number;
  readonly milliseconds: number;
}

/** The presets. */
export const STOP_RULES = {
  rapid: { runs: 64, milliseconds: 6_000 },
  quick: { runs: 128, milliseconds: 10_000 },
  normal: { runs: 1024, milliseconds: 60_000 },
} as const satisfies Readonly<Record<string, StopRule>>;

/** Name of a preset. */
export type StopRuleName = keyof typeof STOP_RULES;

/** What a rule still lacks, in words; `undefined` when it is met. */
export function lacking(rule: StopRule, runs: number, milliseconds: number): string | undefined {
  if (runs >= rule.runs && milliseconds >= rule.milliseconds) return undefined;
  const seconds = (value: number): string => (value / 1000).toFixed(1);
  return `${runs} of ${rule.runs} runs, ${seconds(milliseconds)} of ${seconds(rule.milliseconds)} s`;
}
