/**
 * A histogram whose range grows with its values, in bounded memory and one pass.
 *
 * Bin i holds the values in [i w, (i + 1) w); w is the least power of two for which all values seen fit into `bins` bins. When they
 * don't fit any more, w doubles and bins 2 i and 2 i + 1 become one, exactly: the result depends on neither order nor batches.
 * Between half of the bins and all are in use.
 */

/** See the file's header. */
export interface Histogram {
  /** Smallest and largest value, exact; zero counts as seen. */
  readonly min: number;
  readonly max: number;
  /** Width of a bin. */
  readonly width: number;
  /** Index of the first bin: it starts at `first * width`. */
  readonly first: number;
  readonly counts: Float64Array;
  /** Values that are exactly zero; they are in the counts too. */
  readonly zeros: number;
}

/** Counts values; `result` may be asked at any time. */
export interface HistogramBuilder {
  add(values: Float32Array): void;
  result(): Histogram;
}

/** Below this a width is no use to anyone, and doubles would run out. */
const LEAST_WIDTH = 2 ** -80;

/** A builder with so many bins at most. */
export function growingHistogram(bins: number): HistogramBuilder {
  let [min, max, zeros, width, first] = [0, 0, 0, LEAST_WIDTH, 0];
  let counts = new Float64Array(1);
  const fit = (): void => {
    let next = width;
    while (Math.floor(max / next) - Math.floor(min / next) >= bins) next *= 2;
    const start = Math.floor(min / next);
    const wider = new Float64Array(Math.floor(max / next) - start + 1);
    for (const [i, count] of counts.entries()) wider[Math.floor(((first + i) * width) / next) - start]! += count;
    [width, first, counts] = [next, start, wider];
  };
  return {
    add(values) {
      // In variables of its own: the engine keeps these in registers, but not those that closures share.
      let [low, high] = [min, max];
      for (let i = 0; i < values.length; i++) {
        const value = values[i]!;
        if (value < low) low = value;
        if (value > high) high = value;
      }
      const grown = low < min || high > max;
      [min, max] = [low, high];
      if (grown) fit();
      // The width is a power of two: its inverse is exact. Indices are said to be integers (| 0): they are not looked at again then.
      const [inverse, start, into] = [1 / width, first, counts];
      let none = 0;
      for (let i = 0; i < values.length; i++) {
        const value = values[i]!;
        if (value === 0) none++;
        else into[(Math.floor(value * inverse) - start) | 0]!++;
      }
      into[-start]! += none;
      zeros += none;
    },
    result: () => ({ min, max, width, first, counts, zeros }),
  };
}
