import { defineRun, type RunConfigInput } from "@distillate/train";

/** Fashion-MNIST: harder than digits, so that what a teacher knows beyond the labels is worth more. */
export const fashionMnist: RunConfigInput = defineRun({
  name: "fashion-mnist",
  data: { kind: "fashion-mnist", validation: 5_000 },
  teacher: {
    model: { name: "cnn", filters: [32, 64], dense: 128, dropout: 0.4 },
    training: {
      epochs: 12,
      batchSize: 64,
      optimizer: { name: "adam", learningRate: 0.002 },
      augment: { shift: 1, flip: true },
    },
  },
  student: {
    model: { name: "cnn", filters: [8, 16], dense: 32 },
    training: { epochs: 6, batchSize: 64, optimizer: { name: "adam", learningRate: 0.003 } },
  },
  distill: { ce: { weight: 0.1 }, kd: { weight: 0.9, temperature: 4 } },
  seeds: [1, 2, 3],
});
