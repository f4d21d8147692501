import { atTemperature, type RunConfig, type TrainPlan } from "@distillate/train";

/** Images as they are: a few epochs at a low rate, in which ranges are learnt that the model will see. */
const STILL = { shift: 0, flip: false, erase: 0, colour: 0, mixup: 0, cutmix: 0 } as const;

/**
 * How a student that learnt by `plan` is fine-tuned to be rounded: as it was trained, but for what `tuning` says, on images as they
 * are. Whom it hears must be told of the same plan: a teacher speaks about the images that the student sees.
 */
export function fineTuningPlan(
  plan: TrainPlan,
  training: RunConfig["student"]["training"],
  { epochs, learningRate }: NonNullable<RunConfig["student"]["quantizeAware"]>,
  temperature: number | undefined,
): TrainPlan {
  const { average: _none, patience: _never, augment, ...rest } = training;
  const { views: _round, ...changes } = augment;
  const { distill } = plan;
  return {
    ...plan,
    network: {
      ...plan.network,
      training: {
        ...rest,
        epochs,
        // The grid of eight bits is finer than bfloat16's own.
        precision: "float32",
        optimizer: { ...rest.optimizer, learningRate },
        augment: { ...changes, ...STILL },
      },
    },
    ...(distill && { distill: temperature === undefined ? distill : atTemperature(distill, temperature) }),
  };
}
