import { defineRun, type RunConfigInput } from "@distillate/train";

/**
 * MNIST, whole and real, in a few minutes on two cores: a teacher of 102,130 parameters and a student of 5,258, which sees
 * each image once: over three seeds with the labels alone, and over the same three with the teacher.
 */
export const mnist: RunConfigInput = defineRun({
  name: "mnist",
  data: { kind: "mnist", validation: 5_000 },
  teacher: {
    model: { name: "cnn", filters: [16, 32], dense: 120, dropout: 0.3 },
    training: {
      epochs: 4,
      batchSize: 64,
      optimizer: { name: "adam", learningRate: 0.002 },
      augment: { shift: 1 },
    },
  },
  student: {
    model: { name: "cnn", filters: [8, 16] },
    training: {
      epochs: 1,
      batchSize: 64,
      optimizer: { name: "adam", learningRate: 0.004 },
      schedule: { name: "cosine", warmup: 0.1 },
    },
  },
  distill: { ce: { weight: 0.1 }, kd: { weight: 0.9, temperature: 4 } },
  seeds: [1, 2, 3],
});
