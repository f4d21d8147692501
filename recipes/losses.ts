import { defineRun, type RunConfigInput } from "@distillate/train";

/**
 * Fashion-MNIST in one protocol, the same for every loss: `distillate run losses --engine tensorflow --sweep
 * method=kd,kd-standardized,mse,dkd,dist,hard --every` trains one teacher, the baseline once a seed, and a student for each loss and
 * seed, and compares them on the same test images. Neither the teacher nor the losses are tuned.
 */
export const losses: RunConfigInput = defineRun({
  name: "losses",
  data: { kind: "fashion-mnist", validation: 5_000 },
  teacher: {
    model: { name: "cnn", filters: [16, 32], dense: 120, dropout: 0.3 },
    training: {
      epochs: 12,
      batchSize: 64,
      optimizer: { name: "adam", learningRate: 0.002 },
      augment: { shift: 1, flip: true },
    },
  },
  student: {
    model: { name: "cnn", filters: [8, 16] },
    training: {
      epochs: 5,
      batchSize: 64,
      optimizer: { name: "adam", learningRate: 0.004 },
      schedule: { name: "cosine", warmup: 0.1 },
    },
  },
  distill: { ce: { weight: 0.1 }, kd: { weight: 0.9, temperature: 4 } },
  seeds: [1, 2, 3],
});
