/** The knobs of every loss, under its name: what `distill` in a configuration may say. */
import * as v from "valibot";
import { real, whole } from "../ranges.ts";

/** A number, or one that moves in a straight line over the first epochs and then stays. */
const scheduled = (minimum: number, maximum: number): v.GenericSchema<Scheduled> =>
  v.union([
    real(minimum, maximum),
    v.strictObject({ from: real(minimum, maximum), to: real(minimum, maximum), epochs: whole(1, 100_000) }),
  ]);

/** A constant, or a ramp from `from` to `to` over the first `epochs`. */
export type Scheduled = number | { readonly from: number; readonly to: number; readonly epochs: number };

const weight = (usual: number): v.OptionalSchema<v.GenericSchema<Scheduled>, number> =>
  v.optional(scheduled(0, 1e6), usual);
const temperature = (usual: number): v.OptionalSchema<v.GenericSchema<Scheduled>, number> =>
  v.optional(scheduled(0.1, 100), usual);

/** Compare logits of mean 0 and deviation 1 (see standardize.ts); usual with a temperature of 2 and nine times the weight. */
const standardize = v.optional(v.boolean(), false);

/** Pairs of layers, by name, whose outputs are compared. */
const taps = v.pipe(
  v.array(v.strictObject({ student: v.string(), teacher: v.string() })),
  v.minLength(1),
  v.maxLength(16),
);

const TEACHER_LOSSES = {
  /** Softened probabilities (Hinton); it carries its T² itself. */
  kd: v.optional(v.strictObject({ weight: weight(0.9), temperature: temperature(4), standardize })),
  /** Logits as they are: the choice for two classes. */
  mse: v.optional(v.strictObject({ weight: weight(1) })),
  /** Target class and the others apart; the paper lets `weight` rise from 0 over 20 epochs. */
  dkd: v.optional(
    v.strictObject({
      weight: weight(1),
      temperature: temperature(4),
      alpha: v.optional(real(0, 1000), 1),
      beta: v.optional(real(0, 1000), 8),
      standardize,
    }),
  ),
  /** Correlation over classes and over samples. */
  dist: v.optional(
    v.strictObject({
      weight: weight(1),
      temperature: temperature(1),
      beta: v.optional(real(0, 1000), 1),
      gamma: v.optional(real(0, 1000), 1),
      standardize,
    }),
  ),
  /** The class that the teacher names, as if it were the label (DeiT, arXiv 2012.12877, eq. 3). */
  hard: v.optional(v.strictObject({ weight: weight(0.5) })),
  /** Where feature maps are active. */
  at: v.optional(v.strictObject({ weight: weight(1000), taps })),
  /** Feature maps themselves, through a 1x1 regressor that is thrown away afterwards. */
  fitnet: v.optional(v.strictObject({ weight: weight(100), taps })),
  /** Distances and angles between the samples of a batch. */
  rkd: v.optional(
    v.strictObject({
      weight: weight(1),
      distance: v.optional(real(0, 1000), 25),
      angle: v.optional(real(0, 1000), 50),
      taps,
    }),
  ),
  /** Which samples of a batch are alike. */
  sp: v.optional(v.strictObject({ weight: weight(3000), taps })),
} as const;

/** `ce` is always there (weight 0 leaves it out); without any loss that asks the teacher, that is `kd`. */
export const Distill = v.pipe(
  v.strictObject({ ce: v.optional(v.strictObject({ weight: weight(0.1) }), {}), ...TEACHER_LOSSES }),
  v.transform((distill) =>
    Object.keys(TEACHER_LOSSES).some((name) => name in distill)
      ? distill
      : { ...distill, kd: { weight: 0.9, temperature: 4, standardize: false } },
  ),
);

/** Losses of a distilled student, by name. */
export type DistillConfig = v.InferOutput<typeof Distill>;

/** The value of a knob after `epoch` epochs (fractions count). */
export function valueAt(scheduled: Scheduled, epoch: number): number {
  if (typeof scheduled === "number") return scheduled;
  const { from, to, epochs } = scheduled;
  return from + (to - from) * Math.min(1, epoch / epochs);
}
