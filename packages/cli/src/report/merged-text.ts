/** A merged report as text, Markdown and a page. */
import { escapeHtml } from "@distillate/bench";
import type { PairedDifference } from "@distillate/train";
import { figure, page } from "./html.ts";
import type { MergedReport, MergedRow } from "./merged-report.ts";
import { costsOf, drawFront, type FrontPoint } from "./plots.ts";
import { type Column, markdownTable, pageTable, textTable } from "./table.ts";

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
const signed = (share: number): string => `${share >= 0 ? "+" : ""}${(100 * share).toFixed(2)}`;
const interval = ({ mean, low, high }: PairedDifference): string =>
  `${signed(mean)} (${signed(low)} to ${signed(high)})`;
const reached = ({ mean, deviation, seeds }: MergedRow["student"]): string =>
  deviation === undefined ? percent(mean) : `${percent(mean)} ± ${(100 * deviation).toFixed(2)} (${seeds.length})`;

const COLUMNS: readonly Column<MergedRow>[] = [
  { title: "run", align: "left", cell: ({ name }) => name },
  { title: "parameters", align: "right", cell: ({ parameters }) => parameters?.toLocaleString("en") ?? "" },
  { title: "teacher", align: "right", cell: ({ teacher }) => percent(teacher) },
  { title: "labels alone", align: "right", cell: ({ baseline }) => reached(baseline) },
  { title: "distilled", align: "right", cell: ({ student }) => reached(student) },
  {
    title: "last epoch",
    align: "right",
    cell: ({ lastEpoch }) => (lastEpoch === undefined ? "" : percent(lastEpoch)),
  },
  { title: "over labels alone", align: "right", cell: ({ gain }) => interval(gain) },
  {
    title: "over the first run",
    align: "right",
    cell: ({ overFirst }) => (overFirst === undefined ? "" : interval(overFirst)),
  },
  { title: "int8", align: "right", cell: ({ exported }) => percent(exported.int8.accuracy) },
  { title: "int8 bytes", align: "right", cell: ({ exported }) => exported.int8.bytes.toLocaleString("en") },
];

/** What only a search measures. */
const MEASURED: readonly Column<MergedRow>[] = (["fp32", "int8"] as const).map((id) => ({
  title: `${id} ms`,
  align: "right",
  cell: ({ exported }) => exported[id].milliseconds?.toPrecision(3) ?? "",
}));

function columnsFor(rows: readonly MergedRow[]): readonly Column<MergedRow>[] {
  const isMeasured = rows.some(({ exported }) => exported.int8.milliseconds !== undefined);
  return isMeasured ? [...COLUMNS, ...MEASURED] : COLUMNS;
}

/** What the numbers are, and what they are not. */
const MEANING =
  "Accuracy on the test part: mean ± standard deviation over the seeds (their number). Differences are in points, " +
  "with the 95 % interval that the choice of test images alone would give; they say nothing about other seeds, other data or " +
  "other settings of what was compared.";

/** For a terminal. */
export function mergedText({ rows, notes }: MergedReport): string {
  return `${[textTable(columnsFor(rows), rows), "", MEANING, ...notes.map(({ message }) => `! ${message}`)].join("\n")}\n`;
}

/** As Markdown. */
export function mergedMarkdown({ rows, notes }: MergedReport, title: string): string {
  const said = notes.map(({ message }) => `- ${message}`);
  const lines = [
    `# ${title}`,
    "",
    ...markdownTable(columnsFor(rows), rows),
    "",
    MEANING,
    ...(said.length > 0 ? ["", ...said] : []),
  ];
  return `${lines.join("\n")}\n`;
}

/** As a page, with accuracy against size, work and time where it was measured; `more` is HTML that follows. */
export function mergedPage({ rows, notes }: MergedReport, title: string, more = ""): string {
  const points = frontPoints(rows);
  return page(
    title,
    `${pageTable(title, columnsFor(rows), rows)}
<p>${escapeHtml(MEANING)}</p>
${notes.length > 0 ? `<ul>${notes.map(({ message }) => `<li>${escapeHtml(message)}</li>`).join("")}</ul>` : ""}
${costsOf(points)
  .map((cost) => figure(drawFront(points, cost)))
  .join("\n")}
${more}`,
  );
}

/** Every exported file of a merged report as a point of the front. */
export function frontPoints(rows: readonly MergedRow[]): readonly FrontPoint[] {
  return rows.flatMap(({ name, macs, exported }) =>
    (["fp32", "int8"] as const).map((id) => ({
      name: `${name}, ${id}`,
      id,
      macs: macs ?? Number.NaN,
      milliseconds: Number.NaN,
      ...exported[id],
    })),
  );
}
