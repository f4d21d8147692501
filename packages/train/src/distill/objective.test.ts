import { expect, test } from "vitest";
import { parseConfig } from "../config.ts";
import type { DistillConfig } from "../losses/config.ts";
import { checkObjective, objectiveOf, termsAt } from "./objective.ts";

const distill = (config: object): DistillConfig =>
  parseConfig({
    name: "t",
    data: { kind: "mnist" },
    teacher: { model: { name: "cnn" } },
    student: { model: { name: "cnn" } },
    distill: config,
  }).distill;
const training = { labelSmoothing: 0.1 };
const plain = { augment: { shift: 0, flip: false, erase: 0, colour: 0, mixup: 0, cutmix: 0 } };
const names = (config?: object): readonly string[] =>
  objectiveOf(training, config && distill(config)).map(({ name }) => name);

test("labels alone without a teacher; kd where no loss is named that asks it; a weight of 0 leaves a loss out", () => {
  expect(objectiveOf(training)).toEqual([{ name: "ce", weight: 1, smoothing: 0.1 }]);
  expect(names({})).toEqual(["ce", "kd"]);
  expect(names({ ce: { weight: 0 } })).toEqual(["kd"]);
  expect(names({ mse: {} })).toEqual(["ce", "mse"]);
  expect(names({ kd: {}, dkd: {}, at: { taps: [{ student: "a", teacher: "b" }] } })).toEqual(["ce", "kd", "dkd", "at"]);
});

test("weights and temperatures move along their schedules and stay where they end", () => {
  const objective = objectiveOf(
    training,
    distill({
      ce: { weight: { from: 1, to: 0, epochs: 10 } },
      dkd: { weight: { from: 0, to: 1, epochs: 20 }, temperature: { from: 4, to: 2, epochs: 4 } },
    }),
  );
  const at = (epoch: number): readonly object[] => termsAt(objective, epoch);
  expect(at(0)).toMatchObject([{ weight: 1 }, { weight: 0, temperature: 4 }]);
  expect(at(2.5)).toMatchObject([{ weight: 0.75 }, { weight: 0.125, temperature: 2.75 }]);
  expect(at(100)).toMatchObject([{ weight: 0 }, { weight: 1, temperature: 2, alpha: 1, beta: 8 }]);
});

test.each([
  ["dkd", { dkd: {} }],
  ["dist", { dist: {} }],
  ["standardize", { kd: { standardize: true } }],
])("%s with two classes is refused with the reason, with three it isn't", (name, config) => {
  const objective = objectiveOf(training, distill(config));
  expect(() => checkObjective(objective, 2, plain, true)).toThrowError(
    expect.objectContaining({ code: "loss-degenerate", message: expect.stringContaining(name) }),
  );
  expect(() => checkObjective(objective, 3, plain, true)).not.toThrow();
});

test("an objective that leaves the last layer alone is refused", () => {
  const none = { weight: 0 };
  for (const config of [
    { ce: none, kd: none },
    { ce: none, sp: { taps: [{ student: "a", teacher: "a" }] } },
  ]) {
    expect(() => checkObjective(objectiveOf(training, distill(config)), 10, plain, true)).toThrowError(
      expect.objectContaining({ code: "loss-degenerate" }),
    );
  }
});

test("dkd is refused where images have two target classes, or some have none", () => {
  const mixing = { augment: { ...plain.augment, mixup: 0.2 } };
  expect(() => checkObjective(objectiveOf(training, distill({ dkd: {} })), 10, mixing, true)).toThrowError(
    /mixed images/,
  );
  expect(() => checkObjective(objectiveOf(training, distill({ dkd: {} })), 10, plain, false)).toThrowError(/have none/);
  expect(() => checkObjective(objectiveOf(training, distill({ kd: {} })), 10, mixing, true)).not.toThrow();
});
