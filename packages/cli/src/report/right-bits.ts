/**
 * Which samples a network gets right, small enough for a report: bit `i % 8` of byte `i / 8`, the bytes in Base64. With it two
 * reports can be compared sample by sample, without the data or the networks.
 */

/** Packs a bit a sample. */
export function packRight(right: readonly boolean[]): string {
  const bytes = new Uint8Array(Math.ceil(right.length / 8));
  for (const [i, isRight] of right.entries()) if (isRight) bytes[i >> 3]! |= 1 << (i & 7);
  return Buffer.from(bytes).toString("base64");
}

/** The bits of so many samples; `undefined` where the text has not as many. */
export function unpackRight(text: string, count: number): readonly boolean[] | undefined {
  const bytes = Buffer.from(text, "base64");
  if (bytes.length !== Math.ceil(count / 8)) return undefined;
  return Array.from({ length: count }, (_, i) => (bytes[i >> 3]! & (1 << (i & 7))) !== 0);
}
