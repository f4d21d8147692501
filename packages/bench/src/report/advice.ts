/**
 * Which file to ship where, and why. Per runtime, among the files that lose no more than half a point of accuracy: the faster one
 * when the whole 95 % interval of the ratio of medians says so by more than 5 %, else the smaller one. Where both are done in
 * less than a millisecond nobody notices which is faster, and the smaller one it is as well.
 */
import { compareLatency } from "../compare.ts";
import { countedBlocks } from "../measure.ts";
import { bytes, milliseconds, placeOf } from "./rows.ts";
import type { BenchReport, TargetReport } from "./schema.ts";

const ACCURACY_ALLOWANCE = 0.005;
/** On fewer samples one wrong answer is more than the allowance, and says nothing. */
const ENOUGH_SAMPLES = 200;
const WORTH_IT = 0.05;
const NOTICEABLE_MILLISECONDS = 1;

/** One sentence for each runtime in which files were measured. */
export function adviceOf({ targets, settings }: BenchReport): readonly string[] {
  const measured = targets.filter(
    ({ problem, latency, size }) => !problem && latency?.summary !== undefined && size !== undefined,
  );
  const places = new Map<string, TargetReport[]>();
  for (const target of measured) {
    const place = placeOf(target);
    places.set(place, [...(places.get(place) ?? []), target]);
  }
  return [...places].map(([place, candidates]) => sentence(place, candidates, settings.seed));
}

function sentence(place: string, candidates: readonly TargetReport[], seed: number): string {
  // Without labels all are held against a reference, which agrees with itself.
  const qualities = candidates.map(({ quality }) => quality?.accuracy ?? quality?.agreement ?? 1);
  const best = Math.max(...qualities);
  const few = candidates.some(({ quality }) => (quality?.samples ?? 0) < ENOUGH_SAMPLES);
  const good = few ? candidates : candidates.filter((_, i) => best - qualities[i]! <= ACCURACY_ALLOWANCE);
  const measure = candidates[0]!.quality?.accuracy === undefined ? "agreement" : "accuracy";
  const dropped = candidates.flatMap((candidate, i) =>
    good.includes(candidate)
      ? []
      : [
          `; ${candidate.model} is left out, it loses ${(100 * (best - qualities[i]!)).toFixed(1)} points of ${measure}`,
        ],
  );
  const doubts = [
    ...(candidates.some(({ latency }) => latency?.invalid !== undefined)
      ? ["INVALID measurements: take it as a hint"]
      : []),
    ...(few && Math.min(...qualities) < best
      ? ["too few samples to judge the accuracy: measure it with labelled data"]
      : []),
  ];
  const unsure = doubts.length > 0 ? ` (${doubts.join("; ")})` : "";
  const [first, ...rest] = [...good].sort((a, b) => a.latency!.summary!.p50 - b.latency!.summary!.p50);
  const facts = ({ latency, size }: TargetReport): string =>
    `${milliseconds(latency!.summary!.p50)} ms at the median, ${bytes(size!.brotliBytes)} to download`;
  const begin = `On ${place}`;
  if (rest.length === 0) return `${begin} ship ${first!.model}: ${facts(first!)}${dropped.join("")}${unsure}.`;

  const smallest = [...good].sort((a, b) => a.size!.brotliBytes - b.size!.brotliBytes)[0]!;
  const against = first === smallest ? rest[0]! : smallest;
  const { low, high, estimate } = compareLatency(sideOf(first!), sideOf(against), "p50", { seed, paired: true });
  const interval = `${low.toFixed(2)} to ${high.toFixed(2)}`;
  const faster = low > 1 + WORTH_IT;
  if (first === smallest) {
    const speed = faster
      ? `${estimate.toFixed(1)} times as fast as ${against.model} (${interval})`
      : `no slower than ${against.model}`;
    return `${begin} ship ${first.model}: ${speed} and the smallest, ${facts(first)}${dropped.join("")}${unsure}.`;
  }
  if (faster && against.latency!.summary!.p50 < NOTICEABLE_MILLISECONDS) {
    return `${begin} ship ${smallest.model}: ${first!.model} is ${estimate.toFixed(1)} times as fast (95 % interval ${interval}), but neither takes a millisecond, and this is the smaller one: ${facts(smallest)}${dropped.join("")}${unsure}.`;
  }
  if (faster) {
    const larger = first!.size!.brotliBytes - smallest.size!.brotliBytes;
    return `${begin} ship ${first!.model}: ${estimate.toFixed(1)} times as fast as ${against.model} (95 % interval ${interval}), ${facts(first!)}, which is ${bytes(larger)} more${dropped.join("")}${unsure}.`;
  }
  return `${begin} ship ${smallest.model}: as fast as ${first!.model} within the noise (ratio ${estimate.toFixed(2)}, 95 % interval ${interval}) and smaller, ${facts(smallest)}${dropped.join("")}${unsure}.`;
}

function sideOf({ latency }: TargetReport): Parameters<typeof compareLatency>[0] {
  return { blocks: countedBlocks(latency!.blocks) };
}
