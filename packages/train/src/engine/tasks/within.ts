/** The outputs along an axis, from the first to before the last, whose input `shift` further on lies within the image. */
export function within(
  shift: number,
  stride: number,
  size: number,
  outSize: number,
): readonly [first: number, end: number] {
  return [Math.max(0, Math.ceil(-shift / stride)), Math.min(outSize, Math.floor((size - 1 - shift) / stride) + 1)];
}
