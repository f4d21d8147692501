import { type ModelRow, meanAndDeviation, nameOf } from "./run-report.ts";

/** One column of the results table; all three reports share them. */
export interface Column {
  readonly title: string;
  readonly align: "left" | "right";
  cell(row: ModelRow): string;
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

/** The columns of the results table. */
export const COLUMNS: readonly Column[] = [
  { title: "model", align: "left", cell: nameOf },
  { title: "runs in", align: "left", cell: ({ runtime }) => runtime },
  { title: "parameters", align: "right", cell: ({ parameters }) => parameters?.toLocaleString("en") ?? "" },
  { title: "bytes", align: "right", cell: ({ bytes }) => bytes?.toLocaleString("en") ?? "" },
  { title: "accuracy", align: "right", cell: ({ accuracy }) => percent(accuracy) },
  {
    title: "mean ± sd over seeds",
    align: "right",
    cell: ({ mean, deviation, seeds }) =>
      mean === undefined || deviation === undefined
        ? ""
        : `${percent(mean)} ± ${(100 * deviation).toFixed(2)} (${seeds?.length})`,
  },
  {
    title: "last epoch",
    align: "right",
    cell: ({ seeds }) => {
      const last = seeds?.flatMap((each) => each.last?.accuracy ?? []) ?? [];
      return last.length === 0 ? "" : percent(meanAndDeviation(last).mean);
    },
  },
  {
    title: "agrees with teacher",
    align: "right",
    cell: ({ id, agreement }) => (id === "teacher" ? "" : percent(agreement)),
  },
  { title: "ECE", align: "right", cell: ({ ece }) => ece.toFixed(4) },
];

/** The table as lines of text, columns aligned. */
export function textTable(rows: readonly ModelRow[]): string {
  const cells = [COLUMNS.map(({ title }) => title), ...rows.map((row) => COLUMNS.map((column) => column.cell(row)))];
  const widths = COLUMNS.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)));
  const lines = cells.map((line) =>
    line
      .map((cell, i) => (COLUMNS[i]!.align === "left" ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join("  ")
      .trimEnd(),
  );
  return [lines[0], widths.map((width) => "─".repeat(width)).join("  "), ...lines.slice(1)].join("\n");
}
