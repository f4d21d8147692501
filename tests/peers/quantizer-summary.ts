/** What a comparison of quantisers found on one student, and how it is told. */
import { type Latency, quantile } from "./interleaved.ts";

/** Accuracy, and the share of images of which a file names another class than the fp32 file. */
export interface Quality {
  readonly accuracy: number;
  readonly changed: number;
}

/** See the file's header. */
export interface Comparison {
  readonly student: string;
  readonly fp32: number;
  /** By calibrator, and by whose file. */
  readonly quality: Readonly<Record<string, Readonly<Record<string, Quality>>>>;
  /** Of the run's int8 file, whose student learnt to be rounded. */
  readonly aware?: Quality;
  readonly bytes: Readonly<Record<string, number>>;
  readonly latency: { readonly node: Latency; readonly wasm: Latency };
  /** What `quantize --tune` recommends, and its time by that of fp32. */
  readonly recommended: readonly { readonly backend: string; readonly variant: string; readonly byFp32: number }[];
  readonly processMilliseconds: { readonly ours: readonly number[]; readonly python: readonly number[] };
}

/** Some lines for a terminal. */
export function summary(found: Comparison): string {
  const { student, fp32, quality, aware, bytes, latency, recommended, processMilliseconds: wall } = found;
  const told = (who: string, { accuracy, changed }: Quality): string =>
    `${who} ${percent(accuracy)} (loses ${(100 * (fp32 - accuracy)).toFixed(2)}, ${percent(changed)} named otherwise)`;
  const line = (name: string, parts: readonly string[]): string => `  ${name.padEnd(15)} ${parts.join(", ")}`;
  const ratios = wall.python.map((time, i) => time / wall.ours[i]!);
  return [
    student,
    line("fp32", [percent(fp32)]),
    ...Object.entries(quality).map(([name, row]) =>
      line(
        name,
        Object.entries(row).map(([who, one]) => told(who, one)),
      ),
    ),
    ...(aware === undefined ? [] : [line("quantize-aware", [told("ours", aware)])]),
    line(
      "bytes",
      Object.entries(bytes).map(([who, size]) => `${who} ${size}`),
    ),
    ...(["node", "wasm"] as const).map((runtime) => {
      const { firstBy, fastestBy } = latency[runtime];
      const parts = Object.entries(firstBy).map(
        ([who, [, middle]]) => `ours / ${who} ${middle} (fastest ${fastestBy[who]})`,
      );
      return line(runtime, parts);
    }),
    line(
      "recommended",
      recommended.map(({ backend, variant, byFp32 }) => `${backend} ${variant}, ${byFp32.toFixed(3)} of fp32's time`),
    ),
    line("process", [
      `ours ${quantile(wall.ours, 0.5).toFixed(0)} ms`,
      `python ${quantile(wall.python, 0.5).toFixed(0)} ms`,
      `ratio ${quantile(ratios, 0.5).toFixed(2)}`,
    ]),
  ].join("\n");
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}
