import { finalOf, isAugmenting, lastGuided, parseConfig, planNetworks } from "@distillate/train";
import { expect, test } from "vitest";
import { fineTuningPlan } from "./fine-tuning-plan.ts";

test("student and teacher see images as they are, however the student was trained", () => {
  const model = { name: "cnn" };
  const config = parseConfig({
    name: "digits",
    data: { kind: "mnist" },
    teacher: { model },
    student: {
      model,
      training: {
        average: 0.999,
        patience: 2,
        precision: "bfloat16",
        augment: { shift: 2, flip: true, views: { count: 7 } },
      },
      quantizeAware: { epochs: 3, learningRate: 0.001, temperature: [1, 2] },
    },
    distill: { kd: { temperature: 4 } },
    stages: [{ kind: "finetune" }],
  });
  const plans = planNetworks(config);
  const plan = lastGuided(finalOf(plans, "student")[0]!.id, plans);
  expect(plan.speakers.map(({ id }) => id)).toEqual(["teacher"]);
  const { training } = config.student;
  const tuned = fineTuningPlan(plan, training, config.student.quantizeAware!, 2);
  expect(tuned.network.training).toEqual({
    epochs: 3,
    batchSize: training.batchSize,
    labelSmoothing: 0,
    precision: "float32",
    schedule: training.schedule,
    optimizer: { ...training.optimizer, learningRate: 0.001 },
    augment: { shift: 0, flip: false, erase: 0, colour: 0, mixup: 0, cutmix: 0 },
  });
  expect(isAugmenting(tuned.network.training.augment)).toBe(false);
  expect(tuned.distill).toEqual({ ...plan.distill, kd: { ...plan.distill!.kd, temperature: 2 } });
  expect(fineTuningPlan(plan, training, config.student.quantizeAware!, undefined).distill).toEqual(plan.distill);
});
