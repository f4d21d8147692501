/** `bench.html`: one file without anything from outside and without a script. */

import { adviceOf } from "./advice.ts";
import { type Figure, figures } from "./figures.ts";
import { footnotes } from "./footnotes.ts";
import { escapeHtml, htmlTable } from "./html-table.ts";
import { columnsFor, milliseconds, placeOf } from "./rows.ts";
import type { BenchReport, TargetReport } from "./schema.ts";

const STYLE = `:root{color-scheme:light dark;--line:#8884;--soft:#8881;--bad:#c0392b}
body{font:16px/1.5 system-ui,sans-serif;max-width:80rem;margin:2rem auto;padding:0 1rem}
h1{margin-bottom:.2rem}h2{margin-top:2.4rem;font-size:1.15rem}.lead li{font-size:1.05rem;max-width:56rem;margin:.4rem 0}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.92rem}
th,td{padding:.3rem .55rem;border-bottom:1px solid var(--line);text-align:left;white-space:nowrap}
.right{text-align:right}thead th{border-bottom-width:2px}tbody th{font-weight:600}
.bad{color:var(--bad);font-weight:600}.bar{display:inline-block;height:.8em;background:#0072b2;vertical-align:baseline}
figure{margin:2.2rem 0}figcaption{font-weight:600}figure p{margin:.1rem 0 .6rem;color:#888;font-size:.9rem;max-width:56rem}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;font-size:.85rem;list-style:none;padding:0;margin:.2rem 0}
.swatch{display:inline-block;width:.8em;height:.8em;border-radius:50%;margin-right:.4em}
svg{max-width:100%;height:auto;background:none!important}dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1.2rem;font-size:.92rem}dt{font-weight:600}dd{margin:0}
@media(prefers-color-scheme:dark){:root{--bad:#ff8f80}}@media print{body{max-width:none}}`;

/** The report as a page: what to ship, the table, pictures, where the time goes, and how it was measured. */
export function htmlReport(report: BenchReport): string {
  const { targets, subject, environment } = report;
  const columns = columnsFor(targets);
  const advice = adviceOf(report);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(subject)} · distillate bench</title><style>${STYLE}</style></head><body>
<h1>${escapeHtml(subject)}</h1>
<ul class="lead">${advice.map((line) => `<li>${escapeHtml(line)}</li>`).join("")}</ul>
<h2>Results</h2>
${htmlTable(
  "Results",
  columns,
  targets.map((target) => columns.map((column) => escapeHtml(column.cell(target)))),
)}
<ul>${footnotes(report)
    .map(
      (line) =>
        `<li>${/^(INVALID|FAILED|GROWS)/.test(line) ? `<span class="bad">${escapeHtml(line)}</span>` : escapeHtml(line)}</li>`,
    )
    .join("")}</ul>
<details><summary>What the columns mean</summary><dl>${columns
    .map(({ title, meaning }) => `<dt>${escapeHtml(title || "state")}</dt><dd>${escapeHtml(meaning)}</dd>`)
    .join("")}</dl></details>
${figures(report).map(figure).join("\n")}
${targets.map(profile).join("")}
<h2>Where it was measured</h2>
<dl>${Object.entries({
    created: report.created,
    tool: report.tool,
    ...(report.commit && { commit: report.commit }),
    ...environment,
  })
    .map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(String(value))}</dd>`)
    .join("")}</dl>
</body></html>
`;
}

function figure({ caption, explanation, svg, legend }: Figure): string {
  const names = legend.map(
    ({ name, colour }) => `<li><span class="swatch" style="background:${colour}"></span>${escapeHtml(name)}</li>`,
  );
  const explained = names.length > 0 ? `<ul class="legend">${names.join("")}</ul>` : "";
  return `<figure><figcaption>${escapeHtml(caption)}</figcaption><p>${escapeHtml(explanation)}</p>${explained}<div class="scroll">${svg}</div></figure>`;
}

/** Where the time of one file goes, a bar a layer. */
function profile(target: TargetReport): string {
  if (target.profile === undefined) return "";
  const { layers, runs } = target.profile;
  const whole = layers.reduce((sum, layer) => sum + layer.milliseconds, 0);
  const rows = layers.map(({ layer, ops, milliseconds: time }) => [
    escapeHtml(layer),
    escapeHtml(ops.join(", ")),
    milliseconds(time),
    `${((100 * time) / whole).toFixed(0)} %`,
    bar(time / whole),
  ]);
  const columns = [
    { title: "layer", align: "left" },
    { title: "kernels", align: "left" },
    { title: "ms", align: "right" },
    { title: "share", align: "right" },
    { title: "", align: "left" },
  ] as const;
  return `<h2>Where the time goes: ${escapeHtml(target.model)} in ${escapeHtml(placeOf(target))}</h2>
<p>onnxruntime's own profile of ${runs} runs on one thread, kernels folded by layer. Profiling itself takes time: the shares count, not the sum.</p>
${htmlTable(`Profile of ${target.id}`, columns, rows)}`;
}

function bar(share: number): string {
  const width = Math.max(1, Math.round(240 * share));
  return `<svg role="img" aria-label="${(100 * share).toFixed(0)} percent" width="240" height="12"><rect width="${width}" height="12" fill="#0072b2"/></svg>`;
}
