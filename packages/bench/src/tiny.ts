/**
 * MLPerf Tiny's four reference tasks (mlcommons/tiny v1.2: rules and `benchmark/reference_submissions`): shapes by which a model of
 * ours is recognised, and the quality its rules demand. It runs five windows of at least ten seconds and reports the median, as the
 * rules say; what it gives is not an official result, which needs their runner, their data and a submission.
 */

/** One task. */
export interface TinyTask {
  readonly name: string;
  /** Height, width, channels of one sample; for the anomaly detector its single row. */
  readonly input: readonly number[];
  readonly outputs: number;
  readonly metric: "accuracy" | "auc";
  readonly target: number;
}

/** The tasks. */
export const TINY_TASKS: readonly TinyTask[] = [
  { name: "keyword spotting", input: [49, 10, 1], outputs: 12, metric: "accuracy", target: 0.9 },
  { name: "visual wake words", input: [96, 96, 3], outputs: 2, metric: "accuracy", target: 0.8 },
  { name: "image classification", input: [32, 32, 3], outputs: 10, metric: "accuracy", target: 0.85 },
  { name: "anomaly detection", input: [640], outputs: 640, metric: "auc", target: 0.85 },
];

/** Windows, and how long each is at least. */
export const TINY_WINDOWS = { count: 5, milliseconds: 10_000 } as const;

/** What a model gave. */
export interface TinyResult {
  readonly task: string;
  readonly official: false;
  /** Inferences a second: the median of the windows, and each. */
  readonly inferencesPerSecond: number;
  readonly windows: readonly number[];
  readonly metric: TinyTask["metric"];
  readonly target: number;
  /** Absent where there is no labelled data. */
  readonly quality?: number | undefined;
  readonly passed?: boolean | undefined;
}

/** The task whose input and outputs are these, in either layout. */
export function tinyTaskFor(row: readonly number[], outputs: number): TinyTask | undefined {
  const [channels, ...plane] = row;
  const channelsLast = row.length === 3 ? [...plane, channels!] : row;
  const same = (one: readonly number[], other: readonly number[]): boolean => `${one}` === `${other}`;
  return TINY_TASKS.find(
    ({ input, outputs: expected }) => expected === outputs && (same(input, row) || same(input, channelsLast)),
  );
}

/** Puts a result together. */
export function tinyResult(task: TinyTask, windows: readonly number[], accuracy: number | undefined): TinyResult {
  const sorted = [...windows].sort((a, b) => a - b);
  const quality = task.metric === "accuracy" ? accuracy : undefined;
  return {
    task: task.name,
    official: false,
    inferencesPerSecond: sorted[Math.floor((sorted.length - 1) / 2)]!,
    windows,
    metric: task.metric,
    target: task.target,
    ...(quality !== undefined && { quality, passed: quality >= task.target }),
  };
}
