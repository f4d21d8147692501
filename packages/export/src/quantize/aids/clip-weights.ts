/**
 * Clipped weights: instead of covering the largest magnitude, a channel's scale is the one with the least squared error,
 *
 *   s = argmin over r in {1, 0.995, ..., 0.7} of  sum (w - s_r clamp(round(w / s_r)))^2,   s_r = r max |w| / limit
 *
 * A large weight among many small ones then costs itself and not all others. The grid search of many quantisers, such as google-ai-edge's
 * ai-edge-quantizer (algorithms/uniform_quantize, "MSE").
 */
import { floatsOf } from "../../tensor.ts";
import { roundEven } from "../affine.ts";
import type { AidAfter, AidNote } from "../aids.ts";
import { scalesOf, weightedNodes } from "../weighted-nodes.ts";

const STEP = 0.005;
const LEAST = 0.7;

/** See the file's header. */
export const clipWeights: AidAfter = async (state, context) => {
  const { weightLimit: limit } = context.preset;
  const weightScales = new Map(state.weightScales);
  const notes: AidNote[] = [];
  for (const weighted of weightedNodes(state.graph, context.plan)) {
    const { node, edge, weight, bias, axis } = weighted;
    const widest = scalesOf(weighted, state, context);
    const channels = weight.shape[axis]!;
    const inner = weight.shape.slice(axis + 1).reduce((product, size) => product * size, 1);
    const values: number[][] =
      widest.length === 1 ? [Array.from(floatsOf(weight))] : Array.from({ length: channels }, () => []);
    if (widest.length > 1)
      for (const [i, value] of floatsOf(weight).entries()) values[Math.floor(i / inner) % channels]!.push(value);
    const scales = widest.map((scale, channel) => {
      const covers = values[channel]!.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / limit;
      // A scale that is wider than the weights need is so for the bias: it stays.
      return bias !== undefined && covers < 0.999 * scale ? scale : bestScale(values[channel]!, scale, limit);
    });
    const clipped = scales.filter((scale, channel) => scale < widest[channel]!).length;
    if (clipped > 0) weightScales.set(edge, scales);
    notes.push({
      aid: "clip-weights",
      node: node.name,
      done: true,
      what: `${clipped} of ${scales.length} scales clipped`,
    });
  }
  return { state: { ...state, weightScales }, notes };
};

function bestScale(values: readonly number[], widest: number, limit: number): number {
  let [best, least] = [widest, Number.POSITIVE_INFINITY];
  for (let ratio = 1; ratio >= LEAST - STEP / 2; ratio -= STEP) {
    const scale = Math.fround(ratio * widest);
    let error = 0;
    for (const value of values) {
      const q = Math.min(limit, Math.max(-limit, roundEven(value / scale)));
      error += (value - q * scale) ** 2;
    }
    if (error < least) [best, least] = [scale, error];
  }
  return best;
}
