/** The results as comma-separated values for a spreadsheet: one line a target, plain numbers in the units that the header names. */
import { coldStartOf, startOf } from "./rows.ts";
import type { BenchReport, TargetReport } from "./schema.ts";

type Cell = string | number | boolean | undefined;

const FIELDS: readonly (readonly [name: string, value: (target: TargetReport) => Cell])[] = [
  ["id", ({ id }) => id],
  ["model", ({ model }) => model],
  ["runtime", ({ runtime }) => runtime],
  ["place", ({ place }) => place],
  ["threads", ({ threads }) => threads],
  ["state", ({ problem, latency }) => problem?.code ?? (latency?.invalid === undefined ? "ok" : "invalid")],
  ["bytes", ({ size }) => size?.bytes],
  ["gzip_bytes", ({ size }) => size?.gzipBytes],
  ["brotli_bytes", ({ size }) => size?.brotliBytes],
  ["accuracy", ({ quality }) => quality?.accuracy],
  ["agreement", ({ quality }) => quality?.agreement],
  ["samples", ({ latency }) => latency?.summary?.n],
  ["min_ms", ({ latency }) => latency?.summary?.min],
  ["p50_ms", ({ latency }) => latency?.summary?.p50],
  ["p90_ms", ({ latency }) => latency?.summary?.p90],
  ["p95_ms", ({ latency }) => latency?.summary?.p95],
  ["p99_ms", ({ latency }) => latency?.summary?.p99],
  ["max_ms", ({ latency }) => latency?.summary?.max],
  ["mean_ms", ({ latency }) => latency?.summary?.mean],
  ["mad_ms", ({ latency }) => latency?.summary?.mad],
  ["outliers", ({ latency }) => latency?.summary?.outliers],
  ["samples_per_second", ({ offline }) => offline?.samplesPerSecond],
  ["missed_frames", ({ paced }) => paced?.missed],
  ["cold_start_ms", coldStartOf],
  ["warm_start_ms", ({ coldStart }) => startOf(coldStart?.warmStarts)],
  ["peak_rss_bytes", ({ coldStart }) => coldStart?.memory?.peakRss],
  ["wasm_heap_bytes", ({ coldStart }) => coldStart?.memory?.wasmHeap],
  ["cpu_ms_per_run", ({ latency }) => latency?.cpuMillisecondsPerRun],
  ["mj_per_run", ({ latency }) => latency?.energy?.millijoulesPerRun],
];

/** Header and lines, ended by line feeds; what was not measured is empty. */
export function csvReport({ targets }: Pick<BenchReport, "targets">): string {
  const lines = [
    FIELDS.map(([name]) => name),
    ...targets.map((target) => FIELDS.map(([, value]) => quoted(value(target)))),
  ];
  return `${lines.map((line) => line.join(",")).join("\n")}\n`;
}

/** RFC 4180: quoted where a comma, a quote or a line end is in it. */
function quoted(cell: Cell): string {
  const text = cell === undefined ? "" : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
