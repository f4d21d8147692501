/**
 * Which variant each backend shall run, from one measurement in turns: of those that keep their accuracy the fastest, or the
 * smallest of all that it is not surely faster than (the whole 95 % interval of the ratio of medians past `TIE`). The float file is
 * among them, and nothing that took longer than it by more than `TIE` is chosen: no choice is slower than fp32 but for a tie.
 */
import { compareLatency, countedBlocks } from "@distillate/bench";
import type { TargetReport } from "@distillate/bench/node";
import type { Variant } from "@distillate/bundle";

type Backend = NonNullable<Variant["preferred"]>[number];

/** Ratios of medians up to this are a tie: what the same file shows against itself. */
const TIE = 1.02;

/** How many times as fast as fp32. */
export type Speed = readonly [estimate: number, low: number, high: number];

/** What a backend was found to run best. */
export interface Choice {
  readonly backend: Backend;
  readonly variant: string;
  /** Median, milliseconds. */
  readonly p50: number;
  /** How many times as fast as fp32 there: estimate, and the ends of its 95 % interval. */
  readonly speed: Speed;
  /** All that keep their accuracy, the fastest first. */
  readonly order: readonly { readonly variant: string; readonly p50: number; readonly speed: Speed }[];
  /** A measurement here missed its stop rule: take it as a hint. */
  readonly unsure: boolean;
  /** Variants that lose too much accuracy to be chosen. */
  readonly refused: readonly string[];
}

/** Chooses for every backend that was measured; a page stands for the wasm backend before Node does. */
export function chooseVariants(
  targets: readonly TargetReport[],
  { allowedDrop, seed }: { readonly allowedDrop: number; readonly seed: number },
): readonly Choice[] {
  const measured = targets.filter(({ problem, latency }) => problem === undefined && latency?.summary !== undefined);
  const places: readonly (readonly [Backend, readonly TargetReport[]])[] = [
    ["node", measured.filter(({ runtime }) => runtime === "onnxruntime-node")],
    ["wasm", wasmOf(measured)],
    // What a software adapter does says nothing of a graphics card.
    ["webgpu", measured.filter(({ runtime, details }) => runtime === "onnxruntime-web-webgpu" && !details.software)],
  ];
  return places.flatMap(([backend, candidates]) => {
    const float = candidates.find(({ model }) => model === "fp32");
    return float === undefined ? [] : [choose(backend, float, candidates, allowedDrop, seed)];
  });
}

function wasmOf(targets: readonly TargetReport[]): readonly TargetReport[] {
  const all = targets.filter(({ runtime }) => runtime === "onnxruntime-web-wasm");
  const inPages = all.filter(({ place }) => place === "chromium");
  return inPages.length > 0 ? inPages : all;
}

function choose(
  backend: Backend,
  float: TargetReport,
  candidates: readonly TargetReport[],
  allowedDrop: number,
  seed: number,
): Choice {
  // Without labels all are held against the float file.
  const qualityOf = ({ quality }: TargetReport): number => quality?.accuracy ?? quality?.agreement ?? 1;
  const isGood = (target: TargetReport): boolean => 100 * (qualityOf(float) - qualityOf(target)) <= allowedDrop;
  const ratio = (base: TargetReport, head: TargetReport): ReturnType<typeof compareLatency> =>
    compareLatency(sideOf(head), sideOf(base), "p50", { seed, paired: true });
  const median = ({ latency }: TargetReport): number => latency!.summary!.p50;
  const good = candidates.filter(isGood).sort((a, b) => median(a) - median(b));
  const [fastest] = good as [TargetReport];
  const speedOf = (target: TargetReport): Speed => {
    if (target === float) return [1, 1, 1];
    const { estimate, low, high } = ratio(float, target);
    return [estimate, low, high];
  };
  const alike = good.filter(
    (target) =>
      target === fastest || (ratio(target, fastest).low <= TIE && (target === float || speedOf(target)[0] >= 1 / TIE)),
  );
  const chosen = alike.reduce((best, target) =>
    (target.size?.bytes ?? Number.POSITIVE_INFINITY) < (best.size?.bytes ?? Number.POSITIVE_INFINITY) ? target : best,
  );
  return {
    backend,
    variant: chosen.model,
    p50: median(chosen),
    speed: speedOf(chosen),
    order: good.map((target) => ({ variant: target.model, p50: median(target), speed: speedOf(target) })),
    unsure: good.some(({ latency }) => latency!.invalid !== undefined),
    refused: candidates.filter((target) => !isGood(target)).map(({ model }) => model),
  };
}

function sideOf({ latency }: TargetReport): Parameters<typeof compareLatency>[0] {
  return { blocks: countedBlocks(latency!.blocks) };
}
