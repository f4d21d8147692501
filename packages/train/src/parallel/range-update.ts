/**
 * One worker's range of the weights, which it alone updates, with its slots of the optimiser (Rajbhandari et al. 2020, arXiv
 * 1910.02054, section 5.1): mean of the gradients, clipping by the norm of all ranges, update. Reads the one state of the board and
 * writes the other, in memory that all see.
 */
import { fusesMultiplyAdd } from "../engine/simd/fused-multiply-add.ts";
import type { SharedWasmMemory } from "../engine/simd/instantiate.ts";
import { instantiateLoops, type Loops } from "../engine/simd/loops.ts";
import { applyByLoops, clippingScale, numbersOf, scaleByLoops } from "../optimizers/apply.ts";
import { makeOptimizer, type OptimizerConfig } from "../optimizers/index.ts";
import { type Board, type BoardSizes, type StateIndex, stateAfter } from "./board.ts";
import { averageAround, averageInPlace, sharesOf } from "./mean-of-shares.ts";
import { rangeOf } from "./shares.ts";

/** What a range is updated by. */
export interface RangeUpdateParts {
  readonly memory: SharedWasmMemory;
  readonly board: Board;
  readonly sizes: BoardSizes;
  readonly optimizer: OptimizerConfig;
  readonly clipNorm?: number;
  /** Whose range it is. */
  readonly worker: number;
}

/** What an update is told of a step. */
export interface UpdateTask {
  /** Samples of the batch. */
  readonly size: number;
  /** Learning rate. */
  readonly rate: number;
  /** Steps before this one. */
  readonly step: number;
  /** The state that the step starts from; it leaves the other. */
  readonly from: StateIndex;
}

/** The two parts of an update; between them all must have done the first where gradients are clipped. */
export interface RangeUpdate {
  average(task: UpdateTask): void;
  update(task: UpdateTask): void;
}

/** Floats whose squares are summed in single precision: a million so summed are off by 5e-5, and more by more. */
const BLOCK = 65_536;

/** Makes the update of a range; weights that no gradient reaches are averaged by ranges as well. */
export function makeRangeUpdate(parts: RangeUpdateParts): RangeUpdate {
  const { memory, board, sizes, clipNorm, worker } = parts;
  const { trained, own, workers } = sizes;
  const optimizer = makeOptimizer(parts.optimizer);
  const loops = instantiateLoops(memory, fusesMultiplyAdd());
  const [from, to] = rangeOf(trained, workers, worker);
  const [fromOwn, toOwn] = rangeOf(own, workers, worker);
  const inRange = (values: Float32Array): Float32Array => values.subarray(from, to);
  const amongOwn = (values: Float32Array): Float32Array => values.subarray(trained + fromOwn, trained + toOwn);
  const found = board.findings.map(inRange);
  const foundOwn = board.findings.map(amongOwn);
  const states = board.states.map(({ weights, slots }) => ({
    weight: inRange(weights),
    slots: slots.map(inRange),
    own: amongOwn(weights),
  }));
  const room = board.rooms[worker]!;
  const square = board.squares[worker]!;
  // The last worker's share is never empty.
  const gradient = found.at(-1)!;
  return {
    average({ size, from: old }) {
      const shares = sharesOf(size, workers);
      averageAround(foundOwn, shares, states[stateAfter(old)]!.own);
      if (gradient.length === 0) return;
      averageInPlace(loops, found, shares, room);
      if (clipNorm !== undefined) square[0] = sumOfSquares(loops, gradient, square);
    },
    update({ rate, step, from: old }) {
      if (gradient.length === 0) return;
      if (clipNorm !== undefined) {
        const all = board.squares.reduce((sum, [each]) => sum + each!, 0);
        scaleByLoops(loops, gradient, clippingScale(all, clipNorm), gradient, room);
      }
      const numbers = numbersOf(optimizer, rate, step + 1);
      applyByLoops(optimizer, { loops, gradient, ...states[old]!, numbers, next: states[stateAfter(old)]!, room });
    },
  };
}

/** @param block - Where the sums of blocks go, in the loops' memory. */
function sumOfSquares(loops: Pick<Loops, "innerProducts">, values: Float32Array, block: Float32Array): number {
  let sum = 0;
  for (let start = 0; start < values.length; start += BLOCK) {
    const { byteOffset: at, length } = values.subarray(start, start + BLOCK);
    loops.innerProducts(at, 1, at, 1, block.byteOffset, length);
    sum += block[0]!;
  }
  return sum;
}
