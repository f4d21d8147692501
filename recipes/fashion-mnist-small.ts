import { defineRun, type RunConfigInput } from "@distillate/train";

/**
 * Fashion-MNIST in earnest, for the native engine: a ResNet-8 of under 20,000 parameters learns from one of fifteen times as many. The
 * students see seven views of each image in turn, so that what the teacher says of them is computed once for all seeds.
 */
export const fashionMnistSmall: RunConfigInput = defineRun({
  name: "fashion-mnist-small",
  data: { kind: "fashion-mnist", validation: 5_000 },
  teacher: {
    model: { name: "resnet-8", filters: 32, dropout: 0.2 },
    training: {
      epochs: 14,
      batchSize: 128,
      optimizer: { name: "adam", learningRate: 0.005, weightDecay: 0.02 },
      schedule: { name: "one-cycle" },
      average: 0.999,
      augment: { shift: 2, flip: true, erase: 0.2 },
    },
  },
  student: {
    model: { name: "resnet-8", filters: 8 },
    training: {
      epochs: 14,
      batchSize: 64,
      optimizer: { name: "adam", learningRate: 0.005 },
      schedule: { name: "one-cycle" },
      average: 0.999,
      augment: { shift: 1, flip: true, views: { count: 7 } },
    },
    quantizeAware: { epochs: 1 },
  },
  distill: { ce: { weight: 0.1 }, kd: { weight: 0.9, temperature: 4 } },
  seeds: [1, 2, 3],
});
