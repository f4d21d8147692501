import { defineRun, type RunConfigInput } from "@distillate/train";

/** What `distillate run --data DIR` does with a folder of images: plain CNNs that any machine trains. */
export const imageFolder: RunConfigInput = defineRun({
  name: "image-folder",
  data: { kind: "image-folder", validation: 0.1 },
  teacher: {
    model: { name: "cnn", filters: [32, 64, 128], dense: 128, dropout: 0.4 },
    training: {
      epochs: 8,
      batchSize: 64,
      optimizer: { name: "adam", learningRate: 0.001 },
      augment: { shift: 2, flip: true },
    },
  },
  student: {
    model: { name: "cnn", filters: [8, 16, 32], dense: 32 },
    training: { epochs: 6, batchSize: 64, optimizer: { name: "adam", learningRate: 0.003 } },
  },
  distill: { ce: { weight: 0.1 }, kd: { weight: 0.9, temperature: 4 } },
});
