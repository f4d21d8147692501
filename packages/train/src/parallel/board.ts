/**
 * The memory that all workers of a training see: the batch's images on the way out, weights on the way out, what each worker
 * found on the way back. Nobody reads what another still writes: see turns.ts.
 */

/** How much of everything there is. */
export interface BoardSizes {
  /** Bytes of a batch's images. */
  readonly pixels: number;
  /** Floats of all weights. */
  readonly weights: number;
  /** Floats of a worker's findings: gradients, weights that no gradient reaches, losses. */
  readonly findings: number;
  /** Floats of what an asked teacher says of a batch; 0 without one. */
  readonly said: number;
  readonly workers: number;
}

/** The memory's parts. */
export interface Board {
  readonly pixels: Uint8Array;
  readonly weights: Float32Array;
  readonly said: Float32Array;
  /** Worker by worker. */
  readonly findings: readonly Float32Array[];
}

/** Memory for a board, to be handed to other threads as it is. */
export function makeBoardMemory(sizes: BoardSizes): SharedArrayBuffer {
  return new SharedArrayBuffer(layOut(sizes).at(-1)!);
}

/** The board that lies in a memory. */
export function openBoard(memory: SharedArrayBuffer, sizes: BoardSizes): Board {
  const [weights, said, pixels, ...findings] = layOut(sizes) as [
    ...[weights: number, said: number, pixels: number],
    ...findings: number[],
  ];
  return {
    weights: new Float32Array(memory, weights, sizes.weights),
    said: new Float32Array(memory, said, sizes.said),
    pixels: new Uint8Array(memory, pixels, sizes.pixels),
    findings: findings.slice(0, sizes.workers).map((start) => new Float32Array(memory, start, sizes.findings)),
  };
}

/** Where each part begins, in bytes, and where the last one ends; each on a cache line of its own. */
function layOut({ weights, said, pixels, findings, workers }: BoardSizes): readonly number[] {
  const lengths = [weights * 4, said * 4, pixels, ...new Array<number>(workers).fill(findings * 4)];
  const starts = [0];
  for (const length of lengths) starts.push(starts.at(-1)! + 64 * Math.ceil(length / 64));
  return starts;
}
