/** The results as rows and columns; terminal, Markdown and page show the same. */
import type { TargetReport } from "./schema.ts";

/** One column. */
export interface Column {
  readonly title: string;
  readonly align: "left" | "right";
  /** What it means, for readers who are new to it. */
  readonly meaning: string;
  cell(target: TargetReport): string;
}

const PLACES: Readonly<Record<string, string>> = {
  "onnxruntime-node": "onnxruntime-node",
  "onnxruntime-web-wasm": "WebAssembly",
  "onnxruntime-web-webgpu": "WebGPU",
};

/** What a target runs in, in words. */
export function placeOf({ runtime, place, threads, details }: TargetReport): string {
  const name = PLACES[runtime] ?? (details.engine === undefined ? runtime : `tfjs ${details.engine}`);
  const inNode = name === "WebAssembly" ? `${name} in Node` : name;
  const where = place === "page" ? `the device's ${name}` : place === "chromium" ? `${name} in Chromium` : inNode;
  const software = details.software === true ? ", software adapter" : "";
  return `${where}${threads === 1 ? "" : `, ${threads} threads`}${software}`;
}

/** Milliseconds with three digits that count. */
export function milliseconds(value: number | undefined): string {
  if (value === undefined) return "";
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** Bytes in the unit that fits. */
export function bytes(value: number | undefined): string {
  if (value === undefined) return "";
  const units = ["B", "KB", "MB", "GB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, value)) / 3));
  return `${(value / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

/** A share in percent. */
export function percent(share: number | undefined, digits = 2): string {
  return share === undefined ? "" : `${(100 * share).toFixed(digits)} %`;
}

/** Milliseconds from nothing to the first result: the median over the starts. */
export function coldStartOf({ coldStart }: TargetReport): number | undefined {
  return startOf(coldStart?.starts);
}

/** Milliseconds of all phases together, the median over some starts. */
export function startOf(starts: NonNullable<TargetReport["coldStart"]>["starts"] = []): number | undefined {
  const totals = starts
    .map((phases) => Object.values(phases).reduce<number>((sum, value) => sum + (value ?? 0), 0))
    .sort((a, b) => a - b);
  return totals[Math.floor((totals.length - 1) / 2)];
}

/** Memory that a target needs: the process's peak where there is one, else WebAssembly's heap. */
export function memoryOf({ coldStart }: TargetReport): string {
  const { peakRss, wasmHeap } = coldStart?.memory ?? {};
  if (peakRss !== undefined) return bytes(peakRss);
  return wasmHeap === undefined ? "" : `${bytes(wasmHeap)} heap`;
}

/** The columns. */
export const COLUMNS: readonly Column[] = [
  { title: "model", align: "left", meaning: "the file or network", cell: ({ model }) => model },
  { title: "runs in", align: "left", meaning: "the runtime and where it is", cell: placeOf },
  {
    title: "download",
    align: "right",
    meaning: "bytes of the model file after brotli, as a server sends them",
    cell: ({ size }) => bytes(size?.brotliBytes),
  },
  {
    title: "accuracy",
    align: "right",
    meaning: "share of labelled samples named rightly, in this very runtime",
    cell: ({ quality }) => percent(quality?.accuracy),
  },
  {
    title: "agrees",
    align: "right",
    meaning: "share of samples on which it names what the reference names",
    cell: ({ quality }) => percent(quality?.agreement),
  },
  {
    title: "p50 ms",
    align: "right",
    meaning: "half of the calls are faster",
    cell: ({ latency }) => milliseconds(latency?.summary?.p50),
  },
  {
    title: "p90 ms",
    align: "right",
    meaning: "nine of ten calls are faster: the number to plan with",
    cell: ({ latency }) => milliseconds(latency?.summary?.p90),
  },
  {
    title: "p99 ms",
    align: "right",
    meaning: "99 of 100 calls are faster; empty below 1000 calls",
    cell: ({ latency }) => milliseconds(latency?.summary?.p99),
  },
  {
    title: "samples/s",
    align: "right",
    meaning: "throughput with many samples a call",
    cell: ({ offline }) => (offline === undefined ? "" : Math.round(offline.samplesPerSecond).toLocaleString("en")),
  },
  {
    title: "first result ms",
    align: "right",
    meaning: "from nothing (a fresh process or browser profile) to the first result",
    cell: (target) => milliseconds(coldStartOf(target)),
  },
  {
    title: "again ms",
    align: "right",
    meaning: "the same in a page that is opened once more, the browser's cache filled",
    cell: ({ coldStart }) => milliseconds(startOf(coldStart?.warmStarts)),
  },
  {
    title: "memory",
    align: "right",
    meaning: "peak of a fresh process, or WebAssembly's heap in a page",
    cell: memoryOf,
  },
  {
    title: "mJ",
    align: "right",
    meaning: "energy a call, by the counters or the assumption named below",
    cell: ({ latency }) => milliseconds(latency?.energy?.millijoulesPerRun),
  },
  {
    title: "",
    align: "left",
    meaning: "whether the numbers hold",
    cell: ({ problem, latency }) =>
      problem ? `FAILED ${problem.code}` : latency?.invalid === undefined ? "" : "INVALID",
  },
];

/** The columns that have something to say about these targets. */
export function columnsFor(targets: readonly TargetReport[]): readonly Column[] {
  return COLUMNS.filter((column) => targets.some((target) => column.cell(target) !== ""));
}

/** The table as lines of text, columns aligned. */
export function textTable(targets: readonly TargetReport[]): string {
  const columns = columnsFor(targets);
  const cells = [
    columns.map(({ title }) => title),
    ...targets.map((target) => columns.map((column) => column.cell(target))),
  ];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)));
  const lines = cells.map((line) =>
    line
      .map((cell, i) => (columns[i]!.align === "left" ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join("  ")
      .trimEnd(),
  );
  return [lines[0], widths.map((width) => "─".repeat(width)).join("  "), ...lines.slice(1)].join("\n");
}
