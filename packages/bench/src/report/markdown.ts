/** The report as Markdown. */
import { adviceOf } from "./advice.ts";
import { footnotes } from "./footnotes.ts";
import { columnsFor } from "./rows.ts";
import type { BenchReport } from "./schema.ts";

/** Advice, table, footnotes, environment. */
export function markdownReport(report: BenchReport): string {
  const columns = columnsFor(report.targets);
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const facts = Object.entries(report.environment).map(([name, value]) => `${name} ${value}`);
  return `${[
    `# ${report.subject}`,
    "",
    ...adviceOf(report).map((line) => `- ${line}`),
    "",
    row(columns.map(({ title }) => title)),
    row(columns.map(({ align }) => (align === "left" ? ":--" : "--:"))),
    ...report.targets.map((target) => row(columns.map((column) => column.cell(target)))),
    "",
    ...footnotes(report).map((line) => `- ${line}`),
    "",
    `${report.created}, ${report.tool}${report.commit ? `, commit ${report.commit.slice(0, 12)}` : ""}. ${facts.join(", ")}.`,
  ].join("\n")}\n`;
}
