/**
 * How a step is divided among workers: its batch, in equal parts as far as that goes, each worker the same places of every batch, and
 * the weights that it updates.
 */
import { LINE } from "./cache-line.ts";

/** Fewer samples than this are no work, and poor statistics for a batch normalisation. */
const SMALLEST_SHARE = 16;

/** The places of a batch that a worker takes, the first and the one behind the last. */
export function shareOf(size: number, workers: number, worker: number): readonly [from: number, to: number] {
  return [Math.floor((size * worker) / workers), Math.floor((size * (worker + 1)) / workers)];
}

/** The weights that a worker updates or averages, of so many one after the other: in sixteens, the last of which may be shorter. */
export function rangeOf(weights: number, workers: number, worker: number): readonly [from: number, to: number] {
  const [from, to] = shareOf(Math.ceil(weights / LINE), workers, worker);
  return [from * LINE, Math.min(weights, to * LINE)];
}

/** How many workers a batch can feed, at least one. */
export function workersFor(batchSize: number): number {
  return Math.max(1, Math.floor(batchSize / SMALLEST_SHARE));
}
