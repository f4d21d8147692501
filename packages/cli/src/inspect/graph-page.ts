/** `distillate inspect --html`: a model as a page, one file without anything from outside and without a script. */
import { escapeHtml, htmlTable } from "@distillate/bench";
import { type Graph, type ModelSummary, printGraph } from "@distillate/export";
import { drawGraph, MOST_DRAWN } from "./draw-graph.ts";

const STYLE = `:root{color-scheme:light dark;--line:#8886;--soft:#8881;--text:#111;--weighted:#0072b2;--quantised:#b35c00;--end:#1a7f4b}
body{font:16px/1.5 system-ui,sans-serif;max-width:80rem;margin:2rem auto;padding:0 1rem}
h1{margin-bottom:.2rem}h2{margin-top:2.2rem;font-size:1.15rem}
.scroll{overflow:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.92rem}
th,td{padding:.3rem .7rem;border-bottom:1px solid var(--line);text-align:left;white-space:nowrap}.right{text-align:right}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1.2rem}dt{font-weight:600}dd{margin:0}
pre{background:var(--soft);padding:1rem;overflow-x:auto;font-size:.85rem}
svg text{font:12px system-ui,sans-serif;text-anchor:middle;fill:var(--text)}svg .op{font-weight:600}svg .shape{font-size:11px;opacity:.75}
svg rect{fill:var(--soft);stroke:var(--line)}svg .weighted rect{stroke:var(--weighted);stroke-width:2}
svg .quantised rect{stroke:var(--quantised);stroke-width:2}svg .end rect{stroke:var(--end);stroke-width:2}
svg .edges path{fill:none;stroke:var(--line);stroke-width:1.5}
.legend span{border:2px solid;border-radius:4px;padding:0 .4rem;margin-right:.8rem;font-size:.85rem}
@media(prefers-color-scheme:dark){:root{--text:#eee;--weighted:#56b4e9;--quantised:#e69f00;--end:#5fd08f}}@media print{body{max-width:none}}`;

/** Everything that `inspect` says of a model, and a picture of its graph. */
export function graphPage(name: string, bytes: number, graph: Graph, summary: ModelSummary): string {
  const facts = {
    file: `${bytes.toLocaleString("en")} bytes`,
    opset: String(summary.opset),
    parameters: summary.parameters.toLocaleString("en"),
    constants: Object.entries(summary.constantBytes)
      .map(([dtype, size]) => `${size.toLocaleString("en")} bytes of ${dtype}`)
      .join(", "),
    work: `${summary.macs.toLocaleString("en")} multiplications with addition a sample`,
    activations: `${summary.peakActivationBytes.toLocaleString("en")} bytes at most at a time, one sample`,
  };
  const isDrawn = graph.nodes.length <= MOST_DRAWN;
  const ops = Object.entries(summary.ops).sort(([, a], [, b]) => b - a);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(name)} · distillate inspect</title><style>${STYLE}</style></head><body>
<h1>${escapeHtml(name)}</h1>
<dl>${Object.entries(facts)
    .map(([term, value]) => `<dt>${term}</dt><dd>${escapeHtml(value)}</dd>`)
    .join("")}</dl>
<h2>Ops</h2>
${htmlTable(
  "Ops",
  [
    { title: "op", align: "left" },
    { title: "nodes", align: "right" },
  ],
  ops.map(([op, count]) => [escapeHtml(op), String(count)]),
)}
<h2>Graph</h2>
${
  isDrawn
    ? `<p class="legend"><span style="border-color:var(--weighted)">has weights</span><span style="border-color:var(--quantised)">to or from integers</span><span style="border-color:var(--end)">input, output</span> Rest the pointer on a node for its name, weights and settings.</p><div class="scroll">${drawGraph(graph)}</div>`
    : `<p>${graph.nodes.length.toLocaleString("en")} nodes are listed below, not drawn: a picture is readable up to ${MOST_DRAWN}.</p>`
}
${summary.quantized.length === 0 ? "" : `<h2>Quantised tensors</h2>${quantizedTable(summary)}`}
<h2>Node by node</h2><pre>${escapeHtml(printGraph(graph))}</pre>
</body></html>
`;
}

function quantizedTable({ quantized }: ModelSummary): string {
  return htmlTable(
    "Quantised tensors",
    ["tensor", "type", "scales", "smallest scale", "largest scale", "zero point"].map((title, i) => ({
      title,
      align: i < 2 ? ("left" as const) : ("right" as const),
    })),
    quantized.map(({ tensor, dtype, scales, scale, zero }) => [
      escapeHtml(tensor),
      dtype,
      String(scales),
      scale[0].toPrecision(4),
      scale[1].toPrecision(4),
      String(zero),
    ]),
  );
}
