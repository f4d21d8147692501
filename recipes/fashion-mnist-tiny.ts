import { defineRun, type RunConfigInput } from "@distillate/train";
import { fashionMnistSmall } from "./fashion-mnist-small.ts";

/** {@link fashionMnistSmall} with a student of under 33,000 parameters, which learns for longer; the teacher is the same. */
export const fashionMnistTiny: RunConfigInput = defineRun({
  ...fashionMnistSmall,
  name: "fashion-mnist-tiny",
  student: {
    ...fashionMnistSmall.student,
    model: { name: "resnet-8", filters: 10 },
    training: { ...fashionMnistSmall.student.training, epochs: 24 },
  },
  seeds: [1],
});
