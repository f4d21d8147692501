/**
 * The range [-t, t], cut to what was seen, whose integers tell most of the distribution: the least divergence
 *
 *   KL(P || Q) = sum p log(p / q)
 *
 * P is the histogram; Q is what is left of it after `levels` integers, each spread evenly over those of its bins that hold
 * anything. Zeros don't count: they have an integer of their own, and behind a Relu they would decide everything. Candidates start
 * at `levels` bins, where the integers are as fine as the histogram. After Migacz, "8-bit inference with TensorRT" (2017), who puts
 * what lies outside into P's outermost bins: then values cut in the middle of their tail cost next to nothing beside the spikes that
 * constant backgrounds make in small networks. Here they stay where they are, and Q has hardly anything there.
 */
import type { Range } from "../affine.ts";
import type { Calibrator } from "./calibrator.ts";
import { growingHistogram, type Histogram } from "./histogram.ts";

const CANDIDATES = 256;
/** What Q has in a bin that was cut off, in values. */
const CUT = 1e-6;

/** See the file's header. */
export function leastDivergence(levels: number, bins: number): Calibrator {
  const histogram = growingHistogram(bins);
  return {
    sees: "values",
    observe: histogram.add,
    range() {
      const found = withoutZeros(histogram.result());
      const { min, max, width, first, counts } = found;
      const reach = Math.max(-first, first + counts.length);
      let best: Range = { min, max };
      let least = Number.POSITIVE_INFINITY;
      const step = Math.max(1, Math.ceil((reach - levels / 2) / CANDIDATES));
      // From the widest: of equals the one that cuts least.
      for (let t = reach; t >= Math.min(reach, levels / 2); t -= step) {
        const divergence = divergenceAt(found, t, levels);
        if (divergence >= least) continue;
        least = divergence;
        best = { min: Math.max(min, -t * width), max: Math.min(max, t * width) };
      }
      return best;
    },
  };
}

function withoutZeros(histogram: Histogram): Histogram {
  const counts = histogram.counts.slice();
  counts[-histogram.first]! -= histogram.zeros;
  return { ...histogram, counts };
}

/** The divergence when bins beyond `t` bins from zero are cut. */
function divergenceAt({ first, counts }: Histogram, t: number, levels: number): number {
  const from = Math.max(0, -t - first);
  const to = Math.min(counts.length, t - first);
  const kept = counts.subarray(from, to);
  const total = counts.reduce((sum, count) => sum + count, 0);
  const inside = kept.reduce((sum, count) => sum + count, 0);
  if (inside === 0) return Number.POSITIVE_INFINITY;
  let divergence = 0;
  for (const cut of [counts.subarray(0, from), counts.subarray(to)])
    for (const count of cut) if (count > 0) divergence += (count / total) * Math.log((count * inside) / (CUT * total));

  const perLevel = kept.length / levels;
  for (let level = 0; level < levels; level++) {
    const start = Math.floor(level * perLevel);
    const end = Math.min(kept.length, Math.floor((level + 1) * perLevel));
    let [sum, filled] = [0, 0];
    for (let bin = start; bin < end; bin++) {
      sum += kept[bin]!;
      if (kept[bin]! > 0) filled++;
    }
    for (let bin = start; bin < end; bin++) {
      const p = kept[bin]! / total;
      if (p > 0) divergence += p * Math.log(p / (sum / filled / inside));
    }
  }
  return divergence;
}
