/** The report's pictures as SVG text: nothing from outside, no script, the page's own colours. */
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { type ModelRow, nameOf, type RunReport } from "./run-report.ts";

/** One picture and what it shows. */
export interface Figure {
  readonly caption: string;
  readonly svg: string;
  /** What the colours mean, where the picture itself doesn't say it. */
  readonly legend: readonly { readonly name: string; readonly colour: string }[];
}

const WIDTH = 760;
const percent = (share: number): number => 100 * share;

/** Okabe and Ito's colours, told apart by nearly everybody. */
const COLOURS: { readonly [Id in ModelRow["id"]]: string } = {
  teacher: "#0072b2",
  guide: "#56b4e9",
  baseline: "#e69f00",
  step: "#999999",
  student: "#009e73",
  fp32: "#cc79a7",
  int8: "#d55e00",
};

/** All pictures of a report, in the order they are shown. */
export function figures(report: RunReport): readonly Figure[] {
  return [accuracyAgainstSize(report), learningCurves(report), accuracyByClass(report), confusion(report)];
}

/** A name and the colour of its kind. */
type Named = Pick<ModelRow, "id" | "name">;

function draw(caption: string, explained: readonly Named[], options: Plot.PlotOptions): Figure {
  const { document } = parseHTML("<html><body></body></html>");
  const className = `figure-${caption.toLowerCase().replace(/[^a-z]+/g, "-")}`;
  const element = Plot.plot({ width: WIDTH, marginLeft: 60, ...options, className, document, ariaLabel: caption });
  const legend = explained.map((row) => ({ name: nameOf(row), colour: COLOURS[row.id] }));
  return { caption, svg: element.outerHTML, legend };
}

function colourScale(rows: readonly Named[]): Plot.ScaleOptions {
  return { domain: rows.map(nameOf), range: rows.map(({ id }) => COLOURS[id]) };
}

function accuracyAgainstSize({ models }: RunReport): Figure {
  const points = models.map(({ bytes, accuracy, mean, ...row }) => ({
    name: nameOf(row),
    bytes: bytes ?? 0,
    accuracy: percent(mean ?? accuracy),
  }));
  const seeds = models.flatMap(({ bytes, seeds: all, ...row }) =>
    (all ?? []).map(({ accuracy }) => ({ name: nameOf(row), bytes: bytes ?? 0, accuracy: percent(accuracy) })),
  );
  return draw("Accuracy against size: means over the seeds, each seed a small dot", [], {
    height: 320,
    marginRight: 140,
    grid: true,
    x: { type: "log", label: "bytes →", tickFormat: "~s" },
    y: { label: "↑ accuracy on the test part, %", nice: true },
    color: colourScale(models),
    marks: [
      Plot.dot(seeds, { x: "bytes", y: "accuracy", stroke: "name", r: 2 }),
      Plot.dot(points, { x: "bytes", y: "accuracy", fill: "name", r: 5 }),
      Plot.text(points, { x: "bytes", y: "accuracy", text: "name", textAnchor: "start", dx: 9 }),
    ],
  });
}

/** Which colour the curves of a title have: that of its row. */
function curveOf({ models }: RunReport, title: string): Named {
  return models.find((row) => nameOf(row) === title) ?? { id: "step", name: title };
}

function learningCurves(report: RunReport): Figure {
  const rows = report.curves.flatMap(({ title, seed, history }) =>
    history.map(({ epoch, validationAccuracy }) => ({
      network: `${title} ${seed}`,
      name: title,
      epoch,
      accuracy: percent(validationAccuracy),
    })),
  );
  const last = Math.max(...rows.map(({ epoch }) => epoch));
  const networks = [...new Set(report.curves.map(({ title }) => title))].map((title) => curveOf(report, title));
  return draw("Validation accuracy after each epoch, a line for each seed", networks, {
    height: 300,
    grid: true,
    x: {
      label: "epoch →",
      tickFormat: "d",
      ticks: Array.from({ length: Math.min(last, 10) }, (_, i) => Math.ceil(((i + 1) * last) / Math.min(last, 10))),
    },
    y: { label: "↑ %", nice: true },
    color: colourScale(networks),
    marks: [
      Plot.line(rows, { x: "epoch", y: "accuracy", z: "network", stroke: "name" }),
      Plot.dot(rows, { x: "epoch", y: "accuracy", fill: "name", r: 3, title: "network" }),
    ],
  });
}

function accuracyByClass({ models, data }: RunReport): Figure {
  const shown = models.filter(({ id }) => ["teacher", "baseline", "student", "int8"].includes(id));
  const rows = shown.flatMap(({ perClass, ...row }) =>
    data.labels.map((label, i) => ({ name: nameOf(row), label, accuracy: percent(perClass[i]!) })),
  );
  const known = rows.filter(({ accuracy }) => Number.isFinite(accuracy));
  return draw("Accuracy by class", shown, {
    height: 60 + 22 * data.labels.length,
    marginLeft: 20 + 7 * Math.max(...data.labels.map(({ length }) => Math.min(length, 24))),
    grid: true,
    x: { label: "% of this class →", nice: true },
    y: { label: null, domain: [...data.labels] },
    color: colourScale(shown),
    marks: [
      Plot.ruleY(known, Plot.groupY({ x1: "min", x2: "max" }, { x: "accuracy", y: "label", stroke: "#8888" })),
      Plot.dot(known, { x: "accuracy", y: "label", fill: "name", r: 4, title: "name" }),
    ],
  });
}

function confusion({ models, data }: RunReport): Figure {
  const { confusion: counts } = models.find(({ id }) => id === "fp32")!;
  const cells = counts.flatMap((row, truth) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    return row.map((count, answer) => ({
      truth: data.labels[truth]!,
      answer: data.labels[answer]!,
      count,
      share: truth === answer || total === 0 ? 0 : percent(count / total),
    }));
  });
  const side = Math.min(34, Math.max(14, 600 / data.labels.length));
  const margin = 20 + 7 * Math.max(...data.labels.map(({ length }) => Math.min(length, 24)));
  return draw("Exported student: what was taken for what (errors shaded)", [], {
    width: margin + 40 + side * data.labels.length,
    height: margin + 40 + side * data.labels.length,
    marginLeft: margin,
    marginTop: margin,
    x: {
      axis: "top",
      label: "answer →",
      domain: [...data.labels],
      tickRotate: data.labels.some(({ length }) => length > 3) ? -60 : 0,
    },
    y: { label: "↓ truth", domain: [...data.labels] },
    color: { type: "linear", range: ["#d55e0000", "#d55e00"], interpolate: "rgb" },
    marks: [
      Plot.cell(cells, { x: "answer", y: "truth", fill: "share", stroke: "#8884" }),
      Plot.text(
        cells.filter(({ count }) => count > 0),
        { x: "answer", y: "truth", text: "count", fontSize: Math.min(11, side / 2.6) },
      ),
    ],
  });
}

/** An exported file: what it gets right and what it costs; a cost that isn't known is not a number. */
export interface FrontPoint extends Readonly<Record<Cost, number>> {
  readonly name: string;
  readonly id: "fp32" | "int8";
  readonly accuracy: number;
}

/** What accuracy is drawn against. */
export type Cost = keyof typeof COSTS;

const COSTS = {
  bytes: { caption: "Accuracy against size", label: "bytes of the file →", ticks: "~s" },
  macs: { caption: "Accuracy against work", label: "multiplications for one image →", ticks: "~s" },
  milliseconds: {
    caption: "Accuracy against latency",
    label: "ms a call, median, Node on one thread →",
    ticks: ".2~g",
  },
} as const;

/** The costs that some file has. */
export function costsOf(points: readonly FrontPoint[]): readonly Cost[] {
  return (Object.keys(COSTS) as Cost[]).filter((cost) => points.some((point) => Number.isFinite(point[cost])));
}

/** What nothing else is better than at its cost or below: from the cheapest to the best. */
export function frontOf(points: readonly FrontPoint[], cost: Cost): readonly FrontPoint[] {
  const front: FrontPoint[] = [];
  for (const point of [...points].sort((a, b) => a[cost] - b[cost] || b.accuracy - a.accuracy)) {
    if (point.accuracy > (front.at(-1)?.accuracy ?? Number.NEGATIVE_INFINITY)) front.push(point);
  }
  return front;
}

/** Exported files by accuracy and cost; the line joins what nothing beats. */
export function drawFront(points: readonly FrontPoint[], cost: Cost): Figure {
  const rows = points
    .filter((point) => Number.isFinite(point[cost]))
    .map((point) => ({ ...point, accuracy: percent(point.accuracy) }));
  const front = frontOf(rows, cost);
  const { caption, label, ticks } = COSTS[cost];
  const variants = (["fp32", "int8"] as const).map((id) => ({ id }));
  return draw(`${caption}: the line joins what nothing else beats`, variants, {
    height: 360,
    marginRight: 200,
    grid: true,
    x: { type: "log", label, tickFormat: ticks },
    y: { label: "↑ accuracy on the test part, %", nice: true },
    color: { domain: ["fp32", "int8"], range: [COLOURS.fp32, COLOURS.int8] },
    marks: [
      Plot.line(front, { x: cost, y: "accuracy", stroke: "#8888" }),
      Plot.dot(rows, { x: cost, y: "accuracy", fill: "id", r: 4, title: "name" }),
      Plot.text(front, { x: cost, y: "accuracy", text: "name", textAnchor: "start", dx: 9 }),
    ],
  });
}

/** A picture as a file of its own, which must say what it is. */
export function svgFile({ svg }: Figure): string {
  return `${svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ')}\n`;
}
