import type { Graph, Pass } from "../graph.ts";
import { absorbTranspose } from "./absorb-transpose.ts";
import { dedupeConstants } from "./dedupe-constants.ts";
import { dropNoOps } from "./drop-no-ops.ts";
import { foldBatchNorm } from "./fold-batch-norm.ts";
import { foldConstants } from "./fold-constants.ts";
import { foldPad } from "./fold-pad.ts";
import { foldScaleAndShift } from "./fold-scale-and-shift.ts";
import { fuseGelu } from "./fuse-gelu.ts";
import { fuseHardSwish } from "./fuse-hard-swish.ts";
import { fuseLayerNorm } from "./fuse-layer-norm.ts";
import { fuseSigmoid } from "./fuse-sigmoid.ts";
import { matmulAddToGemm } from "./matmul-add-to-gemm.ts";
import { minMaxToClip } from "./min-max-to-clip.ts";
import { removeUnused } from "./remove-unused.ts";
import { sinkTransposes } from "./sink-transposes.ts";

/** What one pass did. */
export interface PassRecord {
  readonly name: string;
  readonly nodesBefore: number;
  readonly nodesAfter: number;
  readonly changed: boolean;
}

/** The passes, in order: first what clears the way, then what fuses, last what tidies up. */
export const PASSES: readonly (readonly [name: string, pass: Pass])[] = [
  ["drop-no-ops", dropNoOps],
  ["fold-constants", foldConstants],
  ["sink-transposes", sinkTransposes],
  ["absorb-transpose", absorbTranspose],
  ["matmul-add-to-gemm", matmulAddToGemm],
  ["fold-batch-norm", foldBatchNorm],
  ["fold-scale-and-shift", foldScaleAndShift],
  ["fold-pad", foldPad],
  ["min-max-to-clip", minMaxToClip],
  ["fuse-hard-swish", fuseHardSwish],
  ["fuse-sigmoid", fuseSigmoid],
  ["fuse-gelu", fuseGelu],
  ["fuse-layer-norm", fuseLayerNorm],
  ["dedupe-constants", dedupeConstants],
  ["remove-unused", removeUnused],
];

/** Runs all passes over a graph whose values are typed and shaped, and says what each did. */
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
