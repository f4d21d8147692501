import { awareness, describeCheck, finding, type RunReport } from "./run-report.ts";
import { COLUMNS, markdownTable } from "./table.ts";

/** The report as Markdown. */
export function markdownReport(report: RunReport): string {
  return `${[
    `# ${report.name}`,
    "",
    finding(report),
    ...awareness(report).flatMap((line) => ["", line]),
    "",
    ...markdownTable(COLUMNS, report.models),
    "",
    ...report.checks.map(describeCheck).map(({ verdict, text }) => `- ${verdict}: ${text}`),
    "",
    `Trained on ${report.data.train.toLocaleString("en")} images, measured on ${report.data.test.toLocaleString("en")}; ` +
      `the student shipped is that of seed ${report.shippedSeed}, the best on the validation part. ` +
      `distillate ${report.tool}, Node ${report.node}, engine ${report.engine.name} ${report.engine.version}.`,
  ].join("\n")}\n`;
}
