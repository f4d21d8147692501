import { defineRun, type RunConfigInput } from "@distillate/train";

/**
 * CIFAR-10 as a folder of images (`--data DIR`, with train/CLASS and test/CLASS): MLPerf Tiny's ResNet-8 learns from one half
 * as wide again. For the native engine.
 */
export const cifar10: RunConfigInput = defineRun({
  name: "cifar10",
  data: { kind: "image-folder", image: { width: 32, height: 32 }, validation: 5_000 },
  teacher: {
    model: { name: "resnet-8", filters: 24, dropout: 0.1 },
    training: {
      epochs: 10,
      batchSize: 128,
      optimizer: { name: "adam", learningRate: 0.006, weightDecay: 0.02 },
      schedule: { name: "one-cycle" },
      average: 0.999,
      augment: { shift: 4, flip: true },
    },
  },
  student: {
    model: { name: "resnet-8", filters: 16 },
    training: {
      epochs: 14,
      batchSize: 64,
      optimizer: { name: "adam", learningRate: 0.005, weightDecay: 0.01 },
      schedule: { name: "one-cycle" },
      average: 0.999,
      augment: { shift: 4, flip: true, views: { count: 7 } },
    },
    quantizeAware: { epochs: 1 },
  },
  distill: { ce: { weight: 1 }, dist: { weight: 1 } },
});
