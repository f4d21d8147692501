/** `report.html`: one file without anything from outside. */
import { escapeHtml, htmlTable } from "@distillate/bench";
import { type Figure, figures } from "./plots.ts";
import { awareness, describeCheck, finding, type RunReport } from "./run-report.ts";
import { COLUMNS, pageTable } from "./table.ts";

const STYLE = `:root{color-scheme:light dark;--line:#8884;--soft:#8881;--good:#1a7f4b;--bad:#c0392b}
body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}
h1{margin-bottom:.2rem}h2{margin-top:2.2rem;font-size:1.15rem}.lead{font-size:1.1rem;max-width:48rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.35rem .7rem;border-bottom:1px solid var(--line);text-align:left;white-space:nowrap}
.right{text-align:right}thead th{border-bottom-width:2px;vertical-align:bottom;white-space:normal}
.ok{color:var(--good)}.failed{color:var(--bad);font-weight:600}
figure{margin:2.2rem 0}figcaption{font-weight:600;margin-bottom:.5rem}.legend{margin:.2rem 0;font-size:.85rem}.swatch{display:inline-block;width:.8em;height:.8em;border-radius:50%;margin-left:.8em}svg{max-width:100%;height:auto;background:none!important}pre{background:var(--soft);padding:1rem;overflow-x:auto}
@media(prefers-color-scheme:dark){:root{--good:#5fd08f;--bad:#ff8f80}}@media print{body{max-width:none}}`;

/** The report as a page: results and pictures first, then checks, training, configuration. */
export function htmlReport(report: RunReport): string {
  const { models, checks, curves, data } = report;
  return page(
    report.name,
    `<p class="lead">${escapeHtml(finding(report))}</p>
${awareness(report)
  .map((line) => `<p>${escapeHtml(line)}</p>`)
  .join("")}
<h2>Results on the test part</h2>
${pageTable("Results on the test part", COLUMNS, models)}
${figures(report).map(figure).join("\n")}
<h2>Checks</h2><ul>${checks
      .map((check) => {
        const { verdict, text } = describeCheck(check);
        return `<li><span class="${check.ok ? "ok" : "failed"}">${verdict}</span> ${escapeHtml(text)}</li>`;
      })
      .join("")}</ul>
<h2>Training, epoch by epoch</h2>
${htmlTable(
  "Training, epoch by epoch",
  ["network", "seed", "epoch", "loss", "validation", "learning rate"].map((title, i) => ({
    title,
    align: i === 0 ? "left" : "right",
  })),
  curves.flatMap(({ title, seed, history }) =>
    history.map(({ epoch, losses, validationAccuracy, learningRate }) => [
      escapeHtml(title),
      String(seed),
      String(epoch),
      losses.total!.toFixed(4),
      `${(100 * validationAccuracy).toFixed(2)} %`,
      learningRate.toExponential(2),
    ]),
  ),
)}
<h2>Where it comes from</h2>
<p>${data.train.toLocaleString("en")} training and ${data.test.toLocaleString("en")} test images of ${escapeHtml(data.name)} (SHA-256 ${escapeHtml(data.hash)}).
distillate ${escapeHtml(report.tool)}, Node ${escapeHtml(report.node)}, engine ${escapeHtml(report.engine.name)} ${escapeHtml(report.engine.version)}${report.engine.refused
      .map(({ name, reason }) => `; not ${escapeHtml(name)}: ${escapeHtml(reason)}`)
      .join("")}.</p>
<details><summary>Configuration</summary><pre>${escapeHtml(JSON.stringify(report.config, null, 2))}</pre></details>`,
  );
}

/** A page with a title and nothing from outside; `body` is HTML. */
export function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(title)} · distillate</title><style>${STYLE}</style></head><body>
<h1>${escapeHtml(title)}</h1>
${body}
</body></html>
`;
}

/** A picture with what it shows, as HTML. */
export function figure({ caption, svg, legend }: Figure): string {
  const names = legend.map(
    ({ name, colour }) => `<span class="swatch" style="background:${colour}"></span> ${escapeHtml(name)}`,
  );
  const explained = names.length > 0 ? `<p class="legend">${names.join(" ")}</p>` : "";
  return `<figure><figcaption>${escapeHtml(caption)}</figcaption>${explained}<div class="scroll">${svg}</div></figure>`;
}
