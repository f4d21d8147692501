import type { PreprocessSpec } from "@distillate/bundle";

/** What classifiers are usually trained with, per channel. */
export const USUAL: readonly Pick<PreprocessSpec, "scale" | "mean" | "std">[] = [
  { scale: 1 / 255, mean: [0, 0, 0], std: [1, 1, 1] },
  { scale: 1 / 127.5, mean: [1, 1, 1], std: [1, 1, 1] },
  { scale: 1, mean: [0, 0, 0], std: [1, 1, 1] },
  { scale: 1 / 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
];

/** A value for each channel; the last one given stands for those that are not. */
export function forChannels<Spec extends Pick<PreprocessSpec, "mean" | "std">>(spec: Spec, channels: number): Spec {
  const each = (values: readonly number[]): number[] =>
    Array.from({ length: channels }, (_, c) => values[Math.min(c, values.length - 1)]!);
  return { ...spec, mean: each(spec.mean), std: each(spec.std) };
}
