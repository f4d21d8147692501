/**
 * Resize takes factors, since sizes would need the batch's too; a runtime makes `floor(from * factor)` pixels in float32, which may
 * fall one short of what is wanted.
 */

/** A float32 factor with which `floor(from * factor)` is exactly `to`. */
export function factorTo(from: number, to: number): number {
  const factor = Math.fround(to / from);
  return Math.floor(Math.fround(from * factor)) === to ? factor : Math.fround(factor * (1 + 2 ** -22));
}
