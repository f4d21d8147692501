/** Caps on what an untrusted manifest or probe may ask for. They are far above what a small model needs. */
export const LIMITS: {
  readonly manifestCharacters: number;
  readonly labels: number;
  readonly labelCharacters: number;
  readonly variants: number;
  readonly rank: number;
  readonly dimension: number;
  readonly fileBytes: number;
  readonly probeSamples: number;
  readonly imageSide: number;
} = {
  manifestCharacters: 4_000_000,
  labels: 100_000,
  labelCharacters: 1_000,
  variants: 32,
  rank: 8,
  dimension: 1 << 24,
  fileBytes: 2 ** 31 - 1,
  probeSamples: 256,
  imageSide: 16_384,
};
