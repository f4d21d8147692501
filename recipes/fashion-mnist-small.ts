import { defineRun, type RunConfigInput } from "@distillate/train";

/**
 * Fashion-MNIST in earnest, for the native engine: MLPerf Tiny's ResNet-8 of under 80,000 parameters learns from one half as wide again.
 * The students see seven views of each image in turn, so that what the teacher says of them is computed once for all seeds.
 */
export const fashionMnistSmall: RunConfigInput = defineRun({
  name: "fashion-mnist-small",
  data: { kind: "fashion-mnist", validation: 5_000 },
  teacher: {
    model: { name: "resnet-8", filters: 24, dropout: 0.1 },
    training: {
      epochs: 18,
      batchSize: 128,
      optimizer: { name: "adam", learningRate: 0.005, weightDecay: 0.02 },
      schedule: { name: "one-cycle" },
      average: 0.999,
      augment: { shift: 2, flip: true },
    },
  },
  student: {
    model: { name: "resnet-8", filters: 16 },
    training: {
      epochs: 12,
      batchSize: 64,
      optimizer: { name: "adam", learningRate: 0.005 },
      schedule: { name: "one-cycle" },
      average: 0.999,
      augment: { shift: 1, flip: true, views: { count: 7 } },
    },
    quantizeAware: { epochs: 1 },
  },
  distill: { ce: { weight: 1 }, dist: { weight: 1 } },
  seeds: [1, 2, 3],
});
