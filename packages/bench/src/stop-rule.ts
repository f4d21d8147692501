/** When a measurement is enough: so many runs and so much time, both, as MLPerf Mobile's presets have it. */

/** Least runs and least milliseconds spent in them. */
export interface StopRule {
  readonly runs: number;
  readonly milliseconds: number;
}

/** A rule as a benchmark follows it. */
export interface NamedRule extends StopRule {
  readonly name: string;
  /** An unsteady machine may make it last so many times as long. */
  readonly patience: number;
  /** Fresh processes or browser profiles that a cold start is measured in. */
  readonly coldStarts: number;
  /** What all targets share, milliseconds: many of them get less than `milliseconds` each, but no less than {@link LEAST_SHARE}. */
  readonly together?: number;
}

/** With less time a target has too few blocks for an interval. */
const LEAST_SHARE = 2_000;

/** The presets: MLPerf Mobile's three, and one for impatient people, with which all targets of a bundle are done within a minute. */
export const STOP_RULES = {
  minute: { name: "minute", runs: 64, milliseconds: 6_000, together: 20_000, patience: 1.8, coldStarts: 1 },
  rapid: { name: "rapid", runs: 64, milliseconds: 6_000, patience: 2, coldStarts: 1 },
  quick: { name: "quick", runs: 128, milliseconds: 10_000, patience: 2, coldStarts: 3 },
  normal: { name: "normal", runs: 1024, milliseconds: 60_000, patience: 2, coldStarts: 10 },
} as const satisfies Readonly<Record<string, NamedRule>>;

/** Name of a preset. */
export type StopRuleName = keyof typeof STOP_RULES;

/** The rule as so many targets follow it. */
export function sharedAmong(rule: NamedRule, targets: number): NamedRule {
  if (rule.together === undefined) return rule;
  const share = Math.max(LEAST_SHARE, Math.floor(rule.together / Math.max(1, targets)));
  return { ...rule, milliseconds: Math.min(rule.milliseconds, share) };
}

/** What a rule still lacks, in words; `undefined` when it is met. */
export function lacking(rule: StopRule, runs: number, milliseconds: number): string | undefined {
  if (runs >= rule.runs && milliseconds >= rule.milliseconds) return undefined;
  const seconds = (value: number): string => (value / 1000).toFixed(1);
  return `${runs} of ${rule.runs} runs, ${seconds(milliseconds)} of ${seconds(rule.milliseconds)} s`;
}
