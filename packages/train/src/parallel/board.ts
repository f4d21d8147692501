/**
 * The memory that all workers of a training see: the batch's images and what a teacher said of them, what each worker found, and the
 * weights with the slots of their optimiser, twice: a step reads the one state and writes the other, so one that is cut off has
 * changed nothing. Whoever is to read waits at a barrier for those who write: see divided-step.ts.
 */
import { DistillateError } from "@distillate/bundle";
import { makeSharedMemory, type SharedWasmMemory } from "../engine/simd/instantiate.ts";
import { LINE } from "./cache-line.ts";

/** How much of everything there is. */
export interface BoardSizes {
  /** Bytes of a batch's images. */
  readonly pixels: number;
  /** Floats of the weights that gradients reach. */
  readonly trained: number;
  /** Floats of the others. */
  readonly own: number;
  /** Slots that an optimiser keeps for each weight. */
  readonly slots: number;
  readonly losses: number;
  /** Floats of what an asked teacher says of a batch; 0 without one. */
  readonly said: number;
  readonly workers: number;
}

/** All that a step changes. */
export interface BoardState {
  /** Those that gradients reach, one after the other, then the others. */
  readonly weights: Float32Array;
  /** Slot by slot, each of all weights that gradients reach. */
  readonly slots: readonly Float32Array[];
}

/** One of the two. */
export type StateIndex = 0 | 1;

/** The state that a step writes which starts from another. */
export function stateAfter(from: StateIndex): StateIndex {
  return from === 0 ? 1 : 0;
}

/** The memory's parts. */
export interface Board {
  readonly pixels: Uint8Array;
  readonly said: Float32Array;
  readonly states: readonly [BoardState, BoardState];
  /** Worker by worker: gradients, weights that no gradient reaches, losses. */
  readonly findings: readonly Float32Array[];
  /** Worker by worker, for what its loops are told: a cache line each. */
  readonly rooms: readonly Float32Array[];
  /** Worker by worker, the sum of squares of its range of gradients. */
  readonly squares: readonly Float32Array[];
}

/**
 * Memory for a board, to be handed to other threads as it is.
 *
 * @throws DistillateError `shared-memory-missing` where there is not as much.
 */
export function makeBoardMemory(sizes: BoardSizes): SharedWasmMemory {
  const bytes = lengthsOf(sizes).reduce((sum, length) => sum + bytesOf(length), 0);
  try {
    return makeSharedMemory(bytes);
  } catch (error) {
    const megabytes = Math.ceil(bytes / 2 ** 20);
    throw new DistillateError({
      code: "shared-memory-missing",
      message: `the ${megabytes} MB that workers would share cannot be had: ${(error as Error).message}`,
      hint: "Train with one worker, a smaller network or a smaller batchSize.",
    });
  }
}

/** The board that lies in a memory. */
export function openBoard({ buffer }: SharedWasmMemory, sizes: BoardSizes): Board {
  let end = 0;
  const parts = lengthsOf(sizes).map((length) => {
    const part = new Float32Array(buffer, end, length);
    end += bytesOf(length);
    return part;
  });
  const next = (count: number): readonly Float32Array[] => parts.splice(0, count);
  const state = (): BoardState => ({ weights: next(1)[0]!, slots: next(sizes.slots) });
  const [pixels, said] = next(2) as [Float32Array, Float32Array];
  return {
    pixels: new Uint8Array(buffer, pixels.byteOffset, sizes.pixels),
    said,
    states: [state(), state()],
    findings: next(sizes.workers),
    rooms: next(sizes.workers),
    squares: next(sizes.workers),
  };
}

/** The lengths of all parts in floats, in the order in which they lie. */
function lengthsOf({ pixels, said, trained, own, slots, losses, workers }: BoardSizes): readonly number[] {
  const state = [trained + own, ...new Array<number>(slots).fill(trained)];
  const each = (length: number): number[] => new Array<number>(workers).fill(length);
  const findings = trained + own + losses;
  return [Math.ceil(pixels / 4), said, ...state, ...state, ...each(findings), ...each(LINE), ...each(1)];
}

/** The bytes that a part takes: whole cache lines. */
function bytesOf(length: number): number {
  return 4 * LINE * Math.ceil(length / LINE);
}
