/** The pictures of a report as SVG text: no script, nothing from outside, the page's own colours. */
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { countedBlocks } from "../measure.ts";
import { placeOf } from "./rows.ts";
import type { BenchReport, TargetReport } from "./schema.ts";

/** One picture, what it shows and how to read it. */
export interface Figure {
  readonly caption: string;
  readonly explanation: string;
  readonly svg: string;
  readonly legend: readonly { readonly name: string; readonly colour: string }[];
}

const WIDTH = 820;
/** Okabe and Ito's colours, told apart by nearly everybody. */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
const HIGHEST_RATIO = 1.5;
/** Points of one target's cloud: more can't be seen. */
const MOST_POINTS = 400;

interface Shown {
  readonly target: TargetReport;
  readonly name: string;
  readonly model: string;
  readonly samples: readonly number[];
  readonly p50: number;
  readonly p90: number | undefined;
}

/** All pictures that the report has data for. */
export function figures(report: BenchReport): readonly Figure[] {
  const shown = report.targets.flatMap((target): Shown[] => {
    const { latency, model } = target;
    if (!latency?.summary) return [];
    const samples = countedBlocks(latency.blocks).flatMap((block) => block.samples);
    const { p50, p90 } = latency.summary;
    return [{ target, name: `${model}, ${placeOf(target)}`, model, samples, p50, p90 }];
  });
  if (shown.length === 0) return [];
  const models = [...new Set(shown.map(({ model }) => model))];
  return [
    distribution(shown, models),
    front(shown, models),
    timeline(shown, models),
    coldStarts(report),
    sustained(report),
  ].filter((figure) => figure !== undefined);
}

function draw(caption: string, explanation: string, legend: Figure["legend"], options: Plot.PlotOptions): Figure {
  const { document } = parseHTML("<html><body></body></html>");
  const className = `figure-${caption.toLowerCase().replace(/[^a-z]+/g, "-")}`;
  const element = Plot.plot({ width: WIDTH, ...options, className, document, ariaLabel: caption });
  return { caption, explanation, svg: element.outerHTML, legend };
}

const colourOf = (models: readonly string[], model: string): string => COLOURS[models.indexOf(model) % COLOURS.length]!;
const colours = (models: readonly string[]): Plot.ScaleOptions => ({
  domain: [...models],
  range: models.map((model) => colourOf(models, model)),
});
const legendOf = (models: readonly string[]): Figure["legend"] =>
  models.map((name) => ({ name, colour: colourOf(models, name) }));
const marginFor = (names: readonly string[]): number => 24 + 6.6 * Math.max(...names.map(({ length }) => length));

function distribution(shown: readonly Shown[], models: readonly string[]): Figure {
  const names = shown.map(({ name }) => name);
  const points = shown.flatMap(({ name, model, samples }) => {
    const sorted = [...samples].sort((a, b) => a - b);
    const count = Math.min(MOST_POINTS, sorted.length);
    // Evenly spaced ranks keep the cloud's shape; the position across the row is only there to tell points apart.
    return Array.from({ length: count }, (_, i) => ({
      name,
      model,
      value: sorted[Math.floor(((i + 0.5) * sorted.length) / count)]!,
      across: ((i * 0.618) % 1) - 0.5,
    }));
  });
  const marks = shown.flatMap(({ name, p50, p90 }) => [
    { name, value: p50, text: "|" },
    ...(p90 === undefined ? [] : [{ name, value: p90, text: "¦" }]),
  ]);
  return draw(
    "How long calls take",
    "Each dot is a call (or the mean of a few, where the clock is coarse); the solid line is the median, the broken one the 90th percentile. The axis is logarithmic.",
    legendOf(models),
    {
      height: 50 + 46 * names.length,
      marginLeft: marginFor(names),
      x: { type: "log", label: "milliseconds →", grid: true, tickFormat: "~g", nice: true },
      fy: { domain: names, label: null },
      y: { axis: null, domain: [-0.6, 0.6] },
      color: colours(models),
      facet: { marginLeft: marginFor(names) },
      marks: [
        Plot.axisFy({ anchor: "left", label: null, tickSize: 0 } as Plot.AxisYOptions),
        Plot.dot(points, { x: "value", y: "across", fy: "name", fill: "model", r: 1.6, fillOpacity: 0.35 }),
        Plot.ruleX(
          marks.filter(({ text }) => text === "|"),
          { x: "value", fy: "name", strokeWidth: 2 },
        ),
        Plot.ruleX(
          marks.filter(({ text }) => text === "¦"),
          { x: "value", fy: "name", strokeWidth: 1.5, strokeDasharray: "3,2" },
        ),
      ],
    },
  );
}

function front(shown: readonly Shown[], models: readonly string[]): Figure | undefined {
  const points = shown.flatMap(({ target, model, p50 }) => {
    if (target.quality === undefined) return [];
    // The reference of an agreement agrees with itself.
    const quality = target.quality.accuracy ?? target.quality.agreement ?? 1;
    return [{ place: placeOf(target), model, p50, quality: 100 * quality }];
  });
  if (points.length < 2) return undefined;
  const isAccuracy = shown.some(({ target }) => target.quality?.accuracy !== undefined);
  const places = [...new Set(points.map(({ place }) => place))];
  const best = places.flatMap((place) => {
    // From the fastest on, whoever is better than all faster ones.
    const kept: typeof points = [];
    for (const point of points.filter((each) => each.place === place).sort((a, b) => a.p50 - b.p50)) {
      if (kept.every(({ quality }) => point.quality > quality)) kept.push(point);
    }
    return kept;
  });
  return draw(
    isAccuracy ? "Accuracy against latency" : "Agreement against latency",
    "Up and left is better. The line joins those that no other beats in both, in the same runtime.",
    legendOf(models),
    {
      height: 320,
      marginLeft: 60,
      grid: true,
      fx: { domain: places, label: null },
      x: { type: "log", label: "median, milliseconds →", tickFormat: "~g", ticks: 3, nice: true, inset: 12 },
      y: { label: `↑ ${isAccuracy ? "accuracy" : "agreement"}, %`, inset: 12, nice: true },
      color: colours(models),
      marks: [
        Plot.frame({ stroke: "#8884" }),
        Plot.line(best, { fx: "place", x: "p50", y: "quality", curve: "step-after", stroke: "#8888" }),
        Plot.dot(points, { fx: "place", x: "p50", y: "quality", fill: "model", r: 5 }),
      ],
    },
  );
}

function timeline(shown: readonly Shown[], models: readonly string[]): Figure {
  const names = shown.map(({ name }) => name);
  const medians = shown.flatMap(({ target, name, model, p50 }) =>
    target.latency!.blocks.map(({ round, samples, discarded }) => {
      const sorted = [...samples].sort((a, b) => a - b);
      const ratio = sorted[Math.floor((sorted.length - 1) / 2)]! / p50;
      return { name, model, round, value: Math.min(HIGHEST_RATIO, ratio), discarded };
    }),
  );
  return draw(
    "Over time: the median of each block against that of all, round after round",
    "Level lines mean a steady machine. Crosses are blocks that were set aside because the machine's own pace had moved by more than 5 %. What is half as slow again or more lies on the upper edge.",
    legendOf(models),
    {
      height: 60 + 70 * names.length,
      marginLeft: marginFor(names),
      x: { label: "round →", tickFormat: "d" },
      y: {
        label: null,
        domain: [0.8, HIGHEST_RATIO],
        ticks: [0.9, 1, 1.25],
        tickFormat: ".2~f",
        grid: true,
        axis: "right",
      },
      fy: { domain: names, label: null },
      marginRight: 50,
      color: colours(models),
      marks: [
        Plot.axisFy({ anchor: "left", label: null, tickSize: 0 } as Plot.AxisYOptions),
        Plot.line(medians, { x: "round", y: "value", fy: "name", stroke: "model", strokeOpacity: 0.4 }),
        Plot.dot(
          medians.filter(({ discarded }) => !discarded),
          { x: "round", y: "value", fy: "name", fill: "model", r: 2 },
        ),
        Plot.dot(
          medians.filter(({ discarded }) => discarded),
          { x: "round", y: "value", fy: "name", stroke: "#888", symbol: "times", r: 2.5 },
        ),
      ],
    },
  );
}

const PHASES = ["runtime", "compile", "model", "session", "firstRun"] as const;
const PHASE_NAMES: Readonly<Record<(typeof PHASES)[number], string>> = {
  runtime: "load the runtime",
  compile: "compile WebAssembly",
  model: "load the model",
  session: "make a session",
  firstRun: "first run",
};

function coldStarts({ targets }: BenchReport): Figure | undefined {
  const started = targets.filter(({ coldStart }) => coldStart !== undefined && coldStart.starts.length > 0);
  if (started.length === 0) return undefined;
  const rows = started.flatMap((target) =>
    PHASES.flatMap((phase) => {
      const times = target.coldStart!.starts.map((start) => start[phase] ?? 0).sort((a, b) => a - b);
      const value = times[Math.floor((times.length - 1) / 2)]!;
      return value > 0 ? [{ name: `${target.model}, ${placeOf(target)}`, phase: PHASE_NAMES[phase], value }] : [];
    }),
  );
  const names = started.map((target) => `${target.model}, ${placeOf(target)}`);
  const phases = PHASES.map((phase) => PHASE_NAMES[phase]);
  const range = phases.map((_, i) => COLOURS[(i + 2) % COLOURS.length]!);
  return draw(
    "From nothing to the first result",
    "A fresh process, or a fresh browser profile, each time; the median of each phase.",
    phases.map((name, i) => ({ name, colour: range[i]! })),
    {
      height: 50 + 30 * names.length,
      marginLeft: marginFor(names),
      x: { label: "milliseconds →", grid: true },
      y: { domain: names, label: null },
      color: { domain: phases, range },
      marks: [Plot.barX(rows, { x: "value", y: "name", fill: "phase", order: phases })],
    },
  );
}

function sustained({ targets }: BenchReport): Figure | undefined {
  const rows = targets.flatMap((target) =>
    (target.sustained?.timeline ?? []).map(([seconds, value]) => ({
      name: `${target.model}, ${placeOf(target)}`,
      seconds,
      value,
    })),
  );
  if (rows.length === 0) return undefined;
  const names = [...new Set(rows.map(({ name }) => name))];
  const range = names.map((_, i) => COLOURS[i % COLOURS.length]!);
  return draw(
    "Under lasting load",
    "The median of each stretch. A rising line is a chip that gets hot, or a machine that has other things to do.",
    names.map((name, i) => ({ name, colour: range[i]! })),
    {
      height: 320,
      marginLeft: 60,
      grid: true,
      x: { label: "seconds →" },
      y: { type: "log", label: "↑ ms", tickFormat: "~g" },
      color: { domain: names, range },
      marks: [Plot.line(rows, { x: "seconds", y: "value", stroke: "name" })],
    },
  );
}
