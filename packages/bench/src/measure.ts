/**
 * Several targets measured fairly: in rounds, each a block of every target, in an order drawn anew. What the machine does in a
 * minute strikes all of them alike. A target is done when the blocks that were kept fulfil the stop rule.
 */
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import type { Block } from "./block.ts";
import { steadyBlocks } from "./calibration.ts";
import { lacking, type StopRule } from "./stop-rule.ts";

/** Something that can be run block by block. */
export interface Measurable {
  readonly id: string;
  block(milliseconds: number): Promise<Block>;
}

/** A block with its round, and whether it counts. */
export interface MeasuredBlock extends Block {
  readonly round: number;
  /** Set aside: the machine's own pace moved, or the page was hidden. */
  readonly discarded: boolean;
}

/** All blocks of one target. */
export interface Measurement {
  readonly id: string;
  readonly blocks: readonly MeasuredBlock[];
  /** Why the numbers must not be relied upon; absent when the stop rule was met. */
  readonly invalid?: string | undefined;
  /** What ended it early. */
  readonly error?: unknown;
}

/** How to measure. */
export interface MeasureOptions {
  readonly rule: StopRule;
  readonly seed: number;
  readonly blockMilliseconds?: number;
  /** How much longer than the rule a target may take before it is given up as too unsteady. */
  readonly patience?: number;
  readonly signal?: AbortSignal | undefined;
  /** Called after each block with what there is so far. */
  readonly onBlock?: (target: Measurable, sofar: Measurement) => void | Promise<void>;
}

/** Measures all targets; one that fails ends alone. */
export async function measureInterleaved(
  targets: readonly Measurable[],
  options: MeasureOptions,
): Promise<readonly Measurement[]> {
  const { rule, seed, blockMilliseconds = 100, patience = 2, signal, onBlock } = options;
  const random = xoroshiro128plus(seed);
  const blocks = new Map(targets.map(({ id }) => [id, [] as (Block & { round: number })[]]));
  const errors = new Map<string, unknown>();
  const state = (id: string): Measurement => describe(id, blocks.get(id)!, rule, errors.get(id));
  let active = [...targets];
  for (let round = 0; active.length > 0; round++) {
    const order = [...active];
    for (let last = order.length - 1; last > 0; last--) {
      const other = Math.floor(((random.next() >>> 0) / 2 ** 32) * (last + 1));
      [order[last], order[other]] = [order[other]!, order[last]!];
    }
    for (const target of order) {
      signal?.throwIfAborted();
      try {
        blocks.get(target.id)!.push({ ...(await target.block(blockMilliseconds)), round });
      } catch (error) {
        errors.set(target.id, error);
      }
      await onBlock?.(target, state(target.id));
    }
    active = active.filter(({ id }) => {
      const { invalid, error } = state(id);
      const spent = blocks.get(id)!.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
      const runs = runsOf(blocks.get(id)!);
      const exhausted = spent > patience * rule.milliseconds && runs >= rule.runs;
      return error === undefined && invalid !== undefined && !exhausted;
    });
  }
  return targets.map(({ id }) => state(id));
}

/** The blocks that count; all of them where none was steady, and then the measurement is invalid anyway. */
export function countedBlocks<Of extends { readonly discarded: boolean }>(blocks: readonly Of[]): readonly Of[] {
  const kept = blocks.filter(({ discarded }) => !discarded);
  return kept.length > 0 ? kept : blocks;
}

function describe(
  id: string,
  taken: readonly (Block & { readonly round: number })[],
  rule: StopRule,
  error: unknown,
): Measurement {
  const steady = steadyBlocks(taken.map(({ calibration }) => calibration));
  const blocks = taken.map((block, i) => ({ ...block, discarded: !steady[i]! || wasHidden(block) }));
  const kept = blocks.filter(({ discarded }) => !discarded);
  const milliseconds = kept.reduce((sum, block) => sum + block.milliseconds, 0);
  const short = lacking(rule, runsOf(kept), milliseconds);
  const unsteady = blocks.length - kept.length;
  const reason = taken.some(wasHidden) ? "the page was hidden, or the machine unsteady" : "the machine was unsteady";
  const because = unsteady > 0 ? `; ${unsteady} of ${blocks.length} blocks set aside, ${reason}` : "";
  return {
    id,
    blocks,
    ...(short !== undefined && { invalid: `${short}${because}` }),
    ...(error !== undefined && { error }),
  };
}

/** Browsers slow hidden pages down. */
function wasHidden({ noticed }: Block): boolean {
  return noticed?.includes("hidden") === true;
}

function runsOf(blocks: readonly Block[]): number {
  return blocks.reduce((sum, { samples, batch }) => sum + samples.length * batch, 0);
}
