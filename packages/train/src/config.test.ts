import { describe, expect, test } from "vitest";
import { parseConfig, type RunConfigInput } from "./config.ts";

const minimal: RunConfigInput = {
  name: "digits",
  data: { kind: "mnist" },
  teacher: { model: { name: "cnn", filters: [16, 32], dense: 120 } },
  student: { model: { name: "cnn", filters: [4, 8] } },
};

test("defaults are filled in, and a parsed configuration parses to itself", () => {
  const config = parseConfig(minimal);
  expect(config.student.training.optimizer).toMatchObject({ name: "adam", learningRate: 1e-3 });
  expect(config.distill).toEqual({ ce: { weight: 0.1 }, kd: { weight: 0.9, temperature: 4, standardize: false } });
  expect(config.tolerance).toEqual({ fp32: 1e-4, int8Drop: 0.5 });
  expect(parseConfig(JSON.parse(JSON.stringify(config)))).toEqual(config);
});

describe("one clear error for", () => {
  test.each([
    ["an unknown key", { ...minimal, epochs: 3 }, /unknown key epochs/, /student/],
    [
      "an unknown key further in",
      { ...minimal, distill: { kd: { temprature: 3 } } },
      /unknown key distill.kd.temprature/,
      /distill.kd has weight, temperature, standardize/,
    ],
    [
      "an unknown key of a variant",
      { ...minimal, student: { model: { name: "cnn", units: 3 } } },
      /unknown key student.model.units/,
      /filters/,
    ],
    [
      "a number out of range",
      { ...minimal, distill: { kd: { temperature: -1 } } },
      /distill.kd.temperature is -1, expected a number >=0.1/,
      /./,
    ],
    [
      "a number that is no number",
      { ...minimal, distill: { kd: { temperature: Number.NaN } } },
      /distill.kd.temperature is NaN/,
      /./,
    ],
    ["a text for a number", { ...minimal, seeds: ["1"] }, /seeds.0 is "1", expected number/, /./],
    [
      "an unknown model",
      { ...minimal, student: { model: { name: "vgg" } } },
      /student.model.name is "vgg", expected .*"cnn"/,
      /./,
    ],
    ["no data", { ...minimal, data: undefined }, /data is undefined/, /./],
    ["a name that leaves the directory", { ...minimal, name: "../up" }, /name is "..\/up", expected letters/, /./],
    [
      "an unknown key of a teacher",
      { ...minimal, teacher: { from: "a.onnx", lables: ["a"] } },
      /unknown key teacher.lables/,
      /teacher has from, labels, preprocess/,
    ],
    [
      "an unknown key of one of several teachers",
      { ...minimal, teacher: { mean: [minimal.teacher, { ...minimal.teacher, wieght: 2 }] } },
      /unknown key teacher.mean.1.wieght/,
      /has model, training, weight/,
    ],
    [
      "an assistant after the student",
      { ...minimal, stages: [{ kind: "again" }, { kind: "assistant", ...minimal.student }] },
      /stages is Array, expected assistants first/,
      /./,
    ],
    ["nothing", null, /the configuration is null, expected Object/, /./],
  ])("%s", (_what, config, message, hint) => {
    let thrown: unknown;
    try {
      parseConfig(config);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({
      code: "config-invalid",
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    });
  });
});
