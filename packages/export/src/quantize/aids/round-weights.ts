/**
 * Rounding weights for the sums they make instead of each for itself: of a channel's weights w with scale s, each goes up or
 * down so that its layer errs least on calibration samples,
 *
 *   minimise  d' H d,   d = s q - w,   q_i in {floor(w_i / s), ceil(w_i / s)},   H = E[x x']
 *
 * with x the inputs under the kernel. This is AdaRound's problem for one layer (Nagel et al. 2020, arXiv 2004.10568, eq. 13);
 * instead of relaxing it, it is descended coordinate by coordinate from rounding to nearest, which ends after a few sweeps, is
 * never worse than where it began on these samples, and needs neither a seed nor a rate. A share of H's trace on its diagonal
 * keeps weights that the samples say little about where they are.
 */
import type { Edge } from "../../graph.ts";
import { floatsOf, floatTensor } from "../../tensor.ts";
import { roundEven } from "../affine.ts";
import type { AidAfter, AidNote } from "../aids.ts";
import { scalesOf, type WeightedNode, weightedNodes } from "../weighted-nodes.ts";
import { eachPatch, type PatchShape, patchShape } from "./patches.ts";
import { watch } from "./watch.ts";

const SAMPLES = 512;
const PATCHES_A_SAMPLE = { least: 4, most: 64 } as const;
const SWEEPS = 20;
const DIAGONAL = 0.01;
/** Multiplications that a layer may cost, in its matrix and in the descent: some seconds. */
const MOST_WORK = { gram: 5e8, descent: 2e9 } as const;

/** Sums of products of a layer's inputs, a square matrix for each group. */
interface Gram extends PatchShape {
  readonly sums: Float64Array;
  count: number;
}

/** See the file's header. */
export const roundWeights: AidAfter = async (state, context) => {
  const notes: AidNote[] = [];
  const note = (node: string, done: boolean, what: string): void => {
    notes.push({ aid: "round-weights", node, done, what });
  };
  const chosen: WeightedNode[] = [];
  const grams = new Map<WeightedNode, Gram>();
  for (const weighted of weightedNodes(state.graph, context.plan)) {
    const { node, weight, edge } = weighted;
    const shape = patchShape(node, weight);
    const rows = weight.bytes.byteLength / 4 / (shape?.size ?? 1);
    const isShared = state.graph.nodes.filter(({ inputs }) => inputs.includes(edge)).length > 1;
    if (shape === undefined) note(node.name, false, `${node.op} of this rank has no patches`);
    else if (isShared) note(node.name, false, "its weights are read by another node too");
    else if (rows * shape.size ** 2 > MOST_WORK.descent)
      note(node.name, false, `${rows} sums of ${shape.size} products take too long`);
    else {
      chosen.push(weighted);
      grams.set(weighted, { ...shape, sums: new Float64Array(shape.groups * shape.size ** 2), count: 0 });
    }
  }
  const inputs = [...new Set(chosen.map(({ node }) => node.inputs[0]!))];
  await watch(state.graph, inputs, context, SAMPLES, (edge, tensor) => {
    for (const weighted of chosen) {
      const gram = grams.get(weighted)!;
      if (weighted.node.inputs[0] !== edge) continue;
      eachPatch(weighted.node, weighted.weight, tensor, patchesOf(gram), (patch, group) => add(gram, patch, group));
    }
  });

  const constants = new Map(state.graph.constants);
  const weightScales = new Map<Edge, Float32Array>(state.weightScales);
  for (const weighted of chosen) {
    const scales = scalesOf(weighted, state, context);
    const { values, before, after } = roundLayer(weighted, scales, grams.get(weighted)!, context.preset.weightLimit);
    constants.set(weighted.edge, floatTensor(values, weighted.weight.shape));
    // Fixes the scales to those that the integers are of.
    weightScales.set(weighted.edge, scales);
    const gain = before > 0 && after > 0 ? `${(10 * Math.log10(before / after)).toFixed(1)} dB less error` : "no error";
    note(weighted.node.name, true, `${gain} in its sums than rounding to nearest`);
  }
  return { state: { ...state, graph: { ...state.graph, constants }, weightScales }, notes };
};

/** Many places of an image say much the same: where they cost, rather more samples than more places. */
function patchesOf({ groups, size }: Gram): number {
  const affordable = Math.floor(MOST_WORK.gram / (groups * size ** 2) / SAMPLES);
  return Math.min(PATCHES_A_SAMPLE.most, Math.max(PATCHES_A_SAMPLE.least, affordable));
}

function add(gram: Gram, patch: Float32Array, group: number): void {
  const { size, sums } = gram;
  const base = group * size * size;
  for (let i = 0; i < size; i++) {
    const x = patch[i]!;
    if (x === 0) continue;
    const row = base + i * size;
    for (let j = 0; j < size; j++) sums[row + j]! += x * patch[j]!;
  }
  gram.count++;
}

/** Weights that are whole multiples of their scales, and the layer's squared error to nearest and as they are. */
function roundLayer(
  { weight, axis }: WeightedNode,
  scales: Float32Array,
  { sums, size, groups, count }: Gram,
  limit: number,
): { readonly values: Float32Array; readonly before: number; readonly after: number } {
  const floats = floatsOf(weight);
  const values = new Float32Array(floats.length);
  const rows = floats.length / size;
  let [before, after] = [0, 0];
  for (let row = 0; row < rows; row++) {
    // Rows lie one after the other, but for a Gemm whose weight is not transposed.
    const at = (i: number): number => (axis === 0 ? row * size + i : i * rows + row);
    const hessian = sums.subarray(Math.floor((row * groups) / rows) * size * size).subarray(0, size * size);
    const scale = scales[scales.length === 1 ? 0 : row]!;
    const errors = descend((i) => floats[at(i)]!, scale, hessian, size, limit);
    for (let i = 0; i < size; i++) values[at(i)] = errors.integers[i]! * scale;
    before += errors.before / Math.max(1, count);
    after += errors.after / Math.max(1, count);
  }
  return { values, before, after };
}

function descend(
  weightAt: (i: number) => number,
  scale: number,
  hessian: Float64Array,
  size: number,
  limit: number,
): { readonly integers: Float64Array; readonly before: number; readonly after: number } {
  const clamp = (q: number): number => Math.min(limit, Math.max(-limit, q));
  const integers = Float64Array.from({ length: size }, (_, i) => clamp(roundEven(weightAt(i) / scale)));
  const errors = integers.map((q, i) => q * scale - weightAt(i));
  let trace = 0;
  for (let i = 0; i < size; i++) trace += hessian[i * size + i]!;
  const extra = (DIAGONAL * trace) / size;
  /** H d, kept up to date with every step. */
  const slope = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    if (errors[i] === 0) continue;
    for (let j = 0; j < size; j++) slope[j]! += errors[i]! * hessian[i * size + j]!;
  }
  const cost = (): number => errors.reduce((sum, error, i) => sum + error * slope[i]!, 0);
  const before = cost();
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    let moved = false;
    for (let i = 0; i < size; i++) {
      // The other of the two neighbours of w / s.
      const step = errors[i]! > 0 ? -1 : 1;
      const q = clamp(integers[i]! + step);
      if (q === integers[i] || errors[i] === 0 || Math.abs(q * scale - weightAt(i)) > scale) continue;
      const change = step * scale;
      const gradient = slope[i]! + extra * errors[i]!;
      if (2 * change * gradient + change * change * (hessian[i * size + i]! + extra) >= -1e-12 * before) continue;
      integers[i] = q;
      errors[i]! += change;
      const row = i * size;
      for (let j = 0; j < size; j++) slope[j]! += change * hessian[row + j]!;
      moved = true;
    }
    if (!moved) break;
  }
  return { integers, before, after: cost() };
}
