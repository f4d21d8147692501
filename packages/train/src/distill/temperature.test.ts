import { expect, test } from "vitest";
import { parseConfig } from "../config.ts";
import { checkDistillation } from "./check.ts";
import { atTemperature, hasTemperature } from "./temperature.ts";

const config = (distill: object, quantizeAware: object) => {
  const model = { name: "cnn", filters: [4] };
  return parseConfig({
    name: "digits",
    data: { kind: "mnist" },
    teacher: { model },
    student: { model, quantizeAware },
    distill,
    stages: [{ kind: "finetune" }],
  });
};
const SHAPE = { shape: [28, 28, 1], classes: 10 } as const;

test("every loss that softens does so at the given temperature, and nothing else changes", () => {
  const { distill } = config({ kd: { temperature: { from: 8, to: 1, epochs: 3 } }, dist: {}, mse: {} }, {});
  expect(atTemperature(distill, 2)).toEqual({
    ...distill,
    kd: { ...distill.kd, temperature: 2 },
    dist: { ...distill.dist, temperature: 2 },
  });
  expect(hasTemperature(distill)).toBe(true);
});

test("temperatures where no loss has one are refused before anything is trained", () => {
  const refused = config({ mse: {} }, { temperature: [1, 2] });
  expect(() => checkDistillation(refused, SHAPE)).toThrow(
    expect.objectContaining({ code: "loss-degenerate", message: expect.stringContaining("quantizeAware.temperature") }),
  );
  expect(() => checkDistillation(config({ kd: {} }, { temperature: [1, 2] }), SHAPE)).not.toThrow();
  expect(() => checkDistillation(config({ mse: {} }, {}), SHAPE)).not.toThrow();
});

test.each([[[]], [0], [[1, -1]], ["4"]])("no temperature: %j", (temperature) => {
  expect(() => config({}, { temperature })).toThrow(/student\.quantizeAware\.temperature/);
});
