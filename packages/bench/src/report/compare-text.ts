/** A comparison for people: on a terminal, and as Markdown for a pull request. */
import type { Compared, Comparison } from "./compare-reports.ts";
import { isRatio } from "./gate.ts";
import { bytes, milliseconds, percent } from "./rows.ts";

const TITLES = ["target", "metric", "base", "head", "change", "95 % interval", "limit", ""] as const;

function cells({ target, metric, base, head, change, limit, verdict }: Comparison): readonly string[] {
  const value = (number: number): string =>
    metric === "download" ? bytes(number) : isRatio(metric) ? `${milliseconds(number)} ms` : percent(number);
  const signed = (number: number): string =>
    `${number >= 0 ? "+" : "-"}${Math.abs(number).toFixed(isRatio(metric) ? 1 : 2)}`;
  const shown = (number: number): string =>
    isRatio(metric) ? `${signed(100 * (number - 1))} %` : `${signed(number)} pt`;
  const allowed = limit && (isRatio(metric) ? `+${100 * limit.worse} %` : `-${limit.worse} pt`);
  const isExact = change.low === change.high;
  return [
    target,
    metric,
    value(base),
    value(head),
    shown(change.estimate),
    isExact ? "" : `${shown(change.low)} to ${shown(change.high)}`,
    allowed ?? "",
    verdict === "failed" ? "FAILED" : verdict === "undecided" ? "UNDECIDED" : limit ? "ok" : "",
  ];
}

/** Aligned lines. */
export function compareText({ comparisons, notes }: Compared): string {
  const rows = [TITLES, ...comparisons.map(cells)];
  const widths = TITLES.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const lines = rows.map((row) =>
    row
      .map((cell, i) => (i < 2 || i === TITLES.length - 1 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join("  ")
      .trimEnd(),
  );
  return [...lines, "", ...reasons(comparisons), ...notes.map((note) => `Note: ${note}.`)].join("\n").trimEnd();
}

/** A Markdown table. */
export function compareMarkdown({ comparisons, notes, failed }: Compared): string {
  const row = (values: readonly string[]): string =>
    `| ${values.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return `${[
    failed ? "**A limit is broken.**" : "No limit is broken.",
    "",
    row(TITLES),
    row(TITLES.map((_, i) => (i < 2 ? ":--" : "--:"))),
    ...comparisons.map((comparison) => row(cells(comparison))),
    "",
    ...[...reasons(comparisons), ...notes.map((note) => `Note: ${note}.`)].map((line) => `- ${line}`),
  ].join("\n")}\n`;
}

function reasons(comparisons: readonly Comparison[]): readonly string[] {
  return comparisons.flatMap(({ why, target, metric }) =>
    why === undefined ? [] : [`UNDECIDED ${target}, ${metric}: ${why}.`],
  );
}
