import { defineRun, type RunConfigInput } from "@distillate/train";

/**
 * MNIST with the labels of every tenth training image: the teacher and the baseline learn from those alone, the distilled student
 * also from what the teacher says of the other nine. Where distillation pays most: images are plenty, labels are not.
 */
export const fewLabels: RunConfigInput = defineRun({
  name: "few-labels",
  data: { kind: "mnist", validation: 5_000, labelled: 0.1 },
  teacher: {
    model: { name: "cnn", filters: [16, 32], dense: 120, dropout: 0.4 },
    training: {
      epochs: 3,
      batchSize: 64,
      optimizer: { name: "adam", learningRate: 0.002 },
      augment: { shift: 2 },
    },
  },
  student: {
    model: { name: "cnn", filters: [8, 16] },
    training: {
      epochs: 2,
      batchSize: 64,
      optimizer: { name: "adam", learningRate: 0.004 },
      schedule: { name: "cosine", warmup: 0.1 },
    },
  },
  distill: { ce: { weight: 0.1 }, kd: { weight: 0.9, temperature: 4 } },
  seeds: [1, 2, 3],
});
