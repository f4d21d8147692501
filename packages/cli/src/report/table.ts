import { escapeHtml, htmlTable } from "@distillate/bench";
import { type ModelRow, meanAndDeviation, nameOf } from "./run-report.ts";

/** One column of a table; text, Markdown and page share them. */
export interface Column<Row> {
  readonly title: string;
  readonly align: "left" | "right";
  cell(row: Row): string;
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

/** The columns of the results table. */
export const COLUMNS: readonly Column<ModelRow>[] = [
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

/** A table as lines of text, columns aligned. */
export function textTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => columns.map((column) => column.cell(row)))];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)));
  const lines = cells.map((line) =>
    line
      .map((cell, i) => (columns[i]!.align === "left" ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join("  ")
      .trimEnd(),
  );
  return [lines[0], widths.map((width) => "─".repeat(width)).join("  "), ...lines.slice(1)].join("\n");
}

/** A table as lines of Markdown. */
export function markdownTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): readonly string[] {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [
    line(columns.map(({ title }) => title)),
    line(columns.map(({ align }) => (align === "left" ? ":--" : "--:"))),
    ...rows.map((row) => line(columns.map((column) => column.cell(row)))),
  ];
}

/** A table of a page. */
export function pageTable<Row>(caption: string, columns: readonly Column<Row>[], rows: readonly Row[]): string {
  return htmlTable(
    caption,
    columns.map(({ title, align }) => ({ title, align })),
    rows.map((row) => columns.map((column) => escapeHtml(column.cell(row)))),
  );
}
