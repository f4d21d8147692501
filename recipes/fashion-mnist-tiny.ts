import { defineRun, type RunConfigInput } from "@distillate/train";
import { fashionMnistSmall } from "./fashion-mnist-small.ts";

/** {@link fashionMnistSmall} with a student of under 33,000 parameters, which learns for longer; the teacher is the same. */
export const fashionMnistTiny: RunConfigInput = defineRun({
  ...fashionMnistSmall,
  name: "fashion-mnist-tiny",
  student: {
    model: { name: "resnet-8", filters: 10 },
    training: {
      epochs: 24,
      batchSize: 128,
      optimizer: { name: "sgd", learningRate: 0.2, weightDecay: 0.0025 },
      schedule: { name: "one-cycle" },
      precision: "bfloat16",
      average: 0.998,
      augment: { shift: 1, flip: true, views: { count: 8 } },
    },
    quantizeAware: { epochs: 1 },
  },
  seeds: [1],
});
