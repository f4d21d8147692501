/** Neighbouring rows of a convolution's output whose windows have the same rows within the image. */
export interface Band {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
  /** The window's first row that lies in the image, and how many do. */
  readonly firstTap: number;
  readonly taps: number;
  /** Row of the image that the first of them is at, for the row `from`. */
  readonly start: number;
}

/** A convolution along the height. */
export interface Heights {
  readonly inHeight: number;
  readonly outHeight: number;
  readonly filterHeight: number;
  readonly strideHeight: number;
  readonly dilationHeight: number;
  /** Padding above. */
  readonly top: number;
}

/** All rows of an output, from the top: those near an edge see less of their window, and need not multiply the rest by zero. */
export function bandsOf({
  inHeight,
  outHeight,
  filterHeight,
  strideHeight,
  dilationHeight,
  top,
}: Heights): readonly Band[] {
  const tapsAt = (corner: number): readonly [first: number, count: number] => {
    const first = Math.min(filterHeight, Math.max(0, Math.ceil(-corner / dilationHeight)));
    const end = Math.min(filterHeight, Math.max(0, Math.ceil((inHeight - corner) / dilationHeight)));
    return [first, Math.max(0, end - first)];
  };
  const bands: Band[] = [];
  for (let from = 0, to = 0; from < outHeight; from = to) {
    const corner = from * strideHeight - top;
    const [firstTap, taps] = tapsAt(corner);
    for (to = from + 1; to < outHeight; to++) {
      const [first, count] = tapsAt(to * strideHeight - top);
      if (first !== firstTap || count !== taps) break;
    }
    bands.push({ from, to, firstTap, taps, start: corner + firstTap * dilationHeight });
  }
  return bands;
}
