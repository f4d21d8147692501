/** `--fail-on p90:+5%,accuracy:-0.3`: what may become worse by how much. */
import { DistillateError } from "@distillate/bundle";
import { PERCENTILES, type PercentileName } from "../statistics.ts";

/** What can be compared. Latencies and sizes change by a share, accuracy and agreement by points of a percent. */
export type Metric = PercentileName | "accuracy" | "agreement" | "download";

/** A limit: by how much a metric may become worse; a share (0.05) for ratios, points for differences. */
export interface Limit {
  readonly metric: Metric;
  readonly worse: number;
}

/** The limits where none are given. */
export const DEFAULT_GATE = "p50:+5%,p90:+5%,accuracy:-0.3";

const RATIOS: readonly string[] = [...Object.keys(PERCENTILES), "download"];
const DIFFERENCES: readonly string[] = ["accuracy", "agreement"];

/** Whether a metric is compared as a ratio. */
export function isRatio(metric: Metric): boolean {
  return RATIOS.includes(metric);
}

/** @throws DistillateError `gate-invalid` naming the part that is wrong. */
export function parseGate(text: string): readonly Limit[] {
  return text
    .split(",")
    .filter((part) => part.trim() !== "")
    .map((part) => {
      const [, metric = "", sign, number, unit] = /^\s*(\w+)\s*:\s*([+-])\s*([\d.]+)\s*(%?)\s*$/.exec(part) ?? [];
      const worse = Number(number);
      const known = [...RATIOS, ...DIFFERENCES].includes(metric);
      const shape = RATIOS.includes(metric) ? sign === "+" && unit === "%" : sign === "-" && unit === "";
      if (known && shape && Number.isFinite(worse)) {
        return { metric: metric as Metric, worse: RATIOS.includes(metric) ? worse / 100 : worse };
      }
      throw new DistillateError({
        code: "gate-invalid",
        message: `--fail-on has "${part}", expected such as ${known ? (RATIOS.includes(metric) ? `${metric}:+5%` : `${metric}:-0.3`) : DEFAULT_GATE}`,
        hint: `${RATIOS.join(", ")} may grow by a percentage; ${DIFFERENCES.join(", ")} may fall by points.`,
      });
    });
}
