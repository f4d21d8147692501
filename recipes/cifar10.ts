import { defineRun, type RunConfigInput } from "@distillate/train";

/**
 * CIFAR-10 as a folder of images (`--data DIR`, with train/CLASS and test/CLASS): MLPerf Tiny's ResNet-8 learns from a ResNet-9.
 * For the native engine.
 */
export const cifar10: RunConfigInput = defineRun({
  name: "cifar10",
  data: { kind: "image-folder", image: { width: 32, height: 32 }, validation: 5_000 },
  teacher: {
    model: { name: "resnet-9", filters: 24, dropout: 0.2 },
    training: {
      epochs: 24,
      batchSize: 128,
      optimizer: { name: "adam", learningRate: 0.005, weightDecay: 0.02 },
      schedule: { name: "one-cycle" },
      precision: "bfloat16",
      average: 0.998,
      augment: { shift: 4, flip: true, erase: 0.25 },
    },
  },
  student: {
    model: { name: "resnet-8", filters: 16 },
    training: {
      epochs: 50,
      batchSize: 128,
      optimizer: { name: "sgd", learningRate: 0.2, weightDecay: 0.0025 },
      schedule: { name: "one-cycle" },
      precision: "bfloat16",
      average: 0.998,
      augment: { shift: 4, flip: true, views: { count: 8 } },
    },
    quantizeAware: { epochs: 2 },
  },
  distill: { ce: { weight: 1 }, dist: { weight: 2 } },
});
