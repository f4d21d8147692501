import type { PipelineResult } from "../pipeline/pipeline.ts";
import { awareness, describeCheck, finding } from "./run-report.ts";
import { COLUMNS, textTable } from "./table.ts";

/** What a run up to any stage shows on a terminal at its end. */
export function describeResult({ trained, fp32, int8, checks, report }: PipelineResult, out: string): string {
  const lines: string[] = [];
  if (report) lines.push("", textTable(COLUMNS, report.models), "", finding(report), ...awareness(report), "");
  else {
    for (const { title, seed, record } of trained) {
      const { parameters, validationAccuracy, epoch } = record.result;
      lines.push(
        `${title}, seed ${seed}: ${parameters ?? "unknown"} parameters, validation ${(100 * validationAccuracy).toFixed(2)} % (epoch ${epoch})`,
      );
    }
  }
  for (const { verdict, text } of (checks ?? []).map(describeCheck)) lines.push(`${verdict}: ${text}`);
  if (report) lines.push(`${out}/report.html, report.json and report.md in ${report.seconds.toFixed(1)} s`);
  else for (const file of [fp32, int8]) if (file) lines.push(`${file.path}: ${file.onnx.byteLength} bytes`);
  return `${lines.join("\n")}\n`;
}
