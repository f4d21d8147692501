/** Many reports, one of each device, as one table: a row a target, a column a device. */
import { milliseconds } from "./rows.ts";
import type { BenchReport } from "./schema.ts";

/** One device's report and what to call it. */
export interface DeviceReport {
  readonly device: string;
  readonly report: BenchReport;
}

/** Median and 90th percentile of every target on every device, as Markdown; what was not measured stays empty. */
export function deviceMatrix(reports: readonly DeviceReport[]): string {
  const ids = [...new Set(reports.flatMap(({ report }) => report.targets.map(({ id }) => id)))];
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const lines = ids.map((id) =>
    row([id, ...reports.map(({ report }) => cell(report.targets.find((target) => target.id === id)))]),
  );
  const about = reports.map(({ device, report: { environment, created, tool } }) => {
    const { cpu, cores, os, device: agent } = environment;
    // What a device's page measured was not measured on the machine that wrote the report.
    const where =
      agent === undefined ? `${cpu}, ${cores} cores, ${os}` : `${agent}, ${environment["device cores"]} cores`;
    return `- ${device}: ${where}; ${created}, ${tool}`;
  });
  return `${[
    row(["p50 / p90 ms", ...reports.map(({ device }) => device)]),
    row([":--", ...reports.map(() => "--:")]),
    ...lines,
    "",
    ...about,
  ].join("\n")}\n`;
}

function cell(target: BenchReport["targets"][number] | undefined): string {
  if (target?.problem) return `FAILED ${target.problem.code}`;
  const summary = target?.latency?.summary;
  if (!summary) return "";
  const p90 = summary.p90 === undefined ? "" : ` / ${milliseconds(summary.p90)}`;
  return `${milliseconds(summary.p50)}${p90}${target.latency!.invalid === undefined ? "" : " INVALID"}`;
}
