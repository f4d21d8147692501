/** A search as text, Markdown and a page: what came to its end, and what became of all candidates. */
import { escapeHtml } from "@distillate/bench";
import { mergedMarkdown, mergedPage, mergedText } from "./merged-text.ts";
import type { SweepReport, SweptCandidate } from "./sweep-report.ts";
import { type Column, markdownTable, pageTable, textTable } from "./table.ts";

const columnsOf = ({ rounds }: SweepReport): readonly Column<SweptCandidate>[] => [
  { title: "candidate", align: "left", cell: ({ id }) => id },
  ...rounds.map(
    ({ epochs }, round): Column<SweptCandidate> => ({
      title: `round ${round + 1}, ${epochs} epochs: validation`,
      align: "right",
      cell: ({ scores }) => {
        const score = scores[round];
        return score === null || score === undefined ? "" : `${(100 * score).toFixed(2)} %`;
      },
    }),
  ),
  {
    title: "run",
    align: "left",
    cell: ({ run, passed }) => (run === undefined ? "" : `${run}${passed ? "" : " (a check FAILED)"}`),
  },
];

/** With what it was found. */
function source({ tool, node, engine, config }: SweepReport): string {
  return `Seeds ${config.seeds.join(", ")}; distillate ${tool}, Node ${node}, engine ${engine.name} ${engine.version}.`;
}

/** For a terminal. */
export function sweepText(report: SweepReport): string {
  const { rounds, candidates, finished } = report;
  const search = rounds.length > 0 ? `${textTable(columnsOf(report), candidates)}\n\n` : "";
  return `${search}${mergedText(finished)}`;
}

/** As Markdown. */
export function sweepMarkdown(report: SweepReport): string {
  const { name, rounds, candidates, finished } = report;
  const search =
    rounds.length > 0 ? ["", "## Candidates", "", ...markdownTable(columnsOf(report), candidates), ""] : [];
  return `${mergedMarkdown(finished, name)}${search.join("\n")}\n${source(report)}\n`;
}

/** As a page, with the front. */
export function sweepPage(report: SweepReport): string {
  const { name, rounds, candidates, finished } = report;
  const search =
    rounds.length > 0 ? `<h2>Candidates</h2>\n${pageTable("Candidates", columnsOf(report), candidates)}` : "";
  return mergedPage(finished, name, `${search}\n<p>${escapeHtml(source(report))}</p>`);
}
