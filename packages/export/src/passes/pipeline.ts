import type { Graph, Pass } from "../graph.ts";
import { dedupeConstants } from "./dedupe-constants.ts";
import { foldBatchNorm } from "./fold-batch-norm.ts";
import { removeUnused } from "./remove-unused.ts";

/** What one pass did. */
export interface PassRecord {
  readonly name: string;
  readonly nodesBefore: number;
  readonly nodesAfter: number;
  readonly changed: boolean;
}

/** The passes, in order. */
export const PASSES: readonly (readonly [name: string, pass: Pass])[] = [
  ["fold-batch-norm", foldBatchNorm],
  ["dedupe-constants", dedupeConstants],
  ["remove-unused", removeUnused],
];

/** Runs all passes and says what each did. */
export function runPasses(graph: Graph): { readonly graph: Graph; readonly passes: readonly PassRecord[] } {
  const passes: PassRecord[] = [];
  let current = graph;
  for (const [name, pass] of PASSES) {
    const next = pass(current);
    passes.push({ name, nodesBefore: current.nodes.length, nodesAfter: next.nodes.length, changed: next !== current });
    current = next;
  }
  return { graph: current, passes };
}
