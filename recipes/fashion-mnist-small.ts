import { defineRun, type RunConfigInput } from "@distillate/train";

/** One teacher for the students below: a ResNet-8 of twice the reference's width (about 310,000 parameters). */
const teacher = {
  model: { name: "resnet-8", filters: 32, dropout: 0.2 },
  training: {
    epochs: 14,
    batchSize: 128,
    optimizer: { name: "adam", learningRate: 0.005, weightDecay: 0.02 },
    schedule: { name: "one-cycle" },
    average: 0.999,
    augment: { shift: 2, flip: true, erase: 0.2 },
  },
} as const satisfies RunConfigInput["teacher"];

const data = { kind: "fashion-mnist", validation: 5_000 } as const;
const distill = { ce: { weight: 0.1 }, kd: { weight: 0.9, temperature: 4 } };
const augment = { shift: 2, flip: true, views: { count: 10 } };

/**
 * Fashion-MNIST in earnest, for the native engine: what a plain CNN of under 100,000 parameters can learn from a residual net.
 * With `--out` of {@link fashionMnist33k}'s run the teacher is trained once.
 */
export const fashionMnist100k: RunConfigInput = defineRun({
  name: "fashion-mnist-100k",
  data,
  teacher,
  student: {
    model: { name: "cnn", filters: [32, 64], dense: 48, dropout: 0.2 },
    training: {
      epochs: 30,
      batchSize: 64,
      optimizer: { name: "adam", learningRate: 0.002 },
      average: 0.999,
      augment,
    },
  },
  distill,
  seeds: [1, 2, 3],
});

/** The same with a student of under 33,000 parameters. */
export const fashionMnist33k: RunConfigInput = defineRun({
  name: "fashion-mnist-33k",
  data,
  teacher,
  student: {
    model: { name: "resnet-8", filters: 10 },
    training: {
      epochs: 12,
      batchSize: 64,
      optimizer: { name: "adam", learningRate: 0.004 },
      average: 0.999,
      augment,
    },
  },
  distill,
  seeds: [1, 2, 3],
});
