/** Where quantisation loses its accuracy: tensor by tensor and layer by layer, as text and as a picture. */
import type { Comparison, TensorComparison } from "@distillate/export";
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";

/** What is shown. */
export interface QuantizeDebug {
  readonly comparison: Comparison;
  /** What the outputs gain in dB when a layer alone stays float, the largest first. */
  readonly ranking: readonly { readonly node: string; readonly gain: number }[];
}

const decibels = (value: number): string => (Number.isFinite(value) ? value.toFixed(1) : "equal");

/** Both tables, columns aligned. */
export function debugText({ comparison, ranking }: QuantizeDebug): string {
  const { tensors, outputs, samples, agreement } = comparison;
  const rows = [...tensors, ...outputs].map(({ tensor, op, sqnr, cosine, largestDifference }) => [
    tensor,
    op,
    decibels(sqnr),
    cosine.toFixed(5),
    largestDifference.toPrecision(3),
  ]);
  return [
    `${samples} samples, the same class on ${(100 * agreement).toFixed(2)} %`,
    ...aligned([["tensor", "op", "SQNR dB", "cosine", "largest difference"], ...rows], 2),
    ...(ranking.length === 0 ? [] : ["", "what the outputs gain when one layer stays float:"]),
    ...aligned(
      ranking.map(({ node, gain }) => [node, `${gain >= 0 ? "+" : ""}${gain.toFixed(2)} dB`]),
      1,
    ),
  ].join("\n");
}

/** The signal that is left after each layer, and the layers' ranking under it: one SVG. */
export function debugSvg({ comparison, ranking }: QuantizeDebug): string {
  const rows = [...comparison.tensors, ...comparison.outputs].filter(({ sqnr }) => Number.isFinite(sqnr));
  const names = rows.map(({ tensor }) => tensor);
  const signal = bars<TensorComparison>("SQNR after each layer, dB", names, rows, "sqnr", "tensor", "#0072b2");
  if (ranking.length === 0) return signal.outerHTML;
  const layers = ranking.map(({ node }) => node);
  const gains = bars(
    "What the outputs gain when one layer stays float, dB",
    layers,
    ranking,
    "gain",
    "node",
    "#d55e00",
  );
  const [above, below] = [signal, gains].map((one) => Number(one.getAttribute("height"))) as [number, number];
  gains.setAttribute("y", String(above));
  const width = signal.getAttribute("width");
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${above + below}" viewBox="0 0 ${width} ${above + below}">${signal.outerHTML}${gains.outerHTML}</svg>`;
}

function bars<Row>(
  title: string,
  names: readonly string[],
  rows: readonly Row[],
  value: keyof Row & string,
  name: keyof Row & string,
  fill: string,
): ReturnType<typeof Plot.plot> {
  const { document } = parseHTML("<html><body></body></html>");
  return Plot.plot({
    document,
    className: `bars-${value}`,
    ariaLabel: title,
    width: 760,
    height: 70 + 18 * names.length,
    marginLeft: 20 + 7 * Math.max(4, ...names.map(({ length }) => Math.min(length, 32))),
    marginTop: 40,
    x: { label: title, grid: true, axis: "top" },
    y: { label: null, domain: [...names] },
    marks: [Plot.barX([...rows], { x: value, y: name, fill }), Plot.ruleX([0])],
  });
}

/** Lines of text; the first `left` columns to the left, numbers to the right. */
function aligned(rows: readonly (readonly string[])[], left: number): readonly string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows.map((row) =>
    row
      .map((cell, i) => (i < left ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join("  ")
      .trimEnd(),
  );
}
