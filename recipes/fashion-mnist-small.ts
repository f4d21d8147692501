import { defineRun, type RunConfigInput } from "@distillate/train";

/**
 * Fashion-MNIST in earnest, for the native engine: MLPerf Tiny's ResNet-8 of under 80,000 parameters learns from a ResNet-9 with
 * twelve times as many. The students see eight views of each image in turn, so that what the teacher says of them is computed once
 * for all seeds.
 */
export const fashionMnistSmall: RunConfigInput = defineRun({
  name: "fashion-mnist-small",
  data: { kind: "fashion-mnist", validation: 5_000 },
  teacher: {
    model: { name: "resnet-9", filters: 24, dropout: 0.2 },
    training: {
      epochs: 14,
      batchSize: 128,
      optimizer: { name: "adam", learningRate: 0.005, weightDecay: 0.02 },
      schedule: { name: "one-cycle" },
      precision: "bfloat16",
      average: 0.998,
      augment: { shift: 2, flip: true, erase: 0.25 },
    },
  },
  student: {
    model: { name: "resnet-8", filters: 16 },
    training: {
      epochs: 20,
      batchSize: 128,
      optimizer: { name: "sgd", learningRate: 0.2, weightDecay: 0.0025 },
      schedule: { name: "one-cycle" },
      precision: "bfloat16",
      average: 0.998,
      augment: { shift: 1, flip: true, views: { count: 8 } },
    },
    quantizeAware: { epochs: 1 },
  },
  distill: { ce: { weight: 1 }, dist: { weight: 2 } },
  seeds: [1, 2, 3],
});
