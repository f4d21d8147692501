import { type Engine, parseConfig, planNetworks, type TrainPlan } from "@distillate/train";
import { expect, test } from "vitest";
import { trainingWorkers } from "./training-workers.ts";

const wasm: Engine = { name: "wasm", version: "0", refused: [] };
const plansFor = (seeds: readonly number[], stages: readonly object[] = []) =>
  planNetworks(
    parseConfig({
      name: "t",
      data: { kind: "mnist" },
      teacher: { model: { name: "cnn" }, training: { epochs: 4 } },
      student: { model: { name: "cnn", filters: [4] }, training: { epochs: 4 } },
      seeds,
      stages,
    }),
  );
const counts = (plans: ReturnType<typeof plansFor>, over: object = {}, cores = 4): Readonly<Record<string, number>> => {
  const context = { engine: wasm, data: { train: { count: 60_000 } }, ...over };
  const trained = plans.filter((plan): plan is TrainPlan => plan.kind === "train");
  return Object.fromEntries(trained.map((plan) => [plan.id, trainingWorkers(context, plan, plans, cores)]));
};

test("cores are divided among the networks that train at once: teacher beside baselines, then students", () => {
  expect(counts(plansFor([1]))).toEqual({ teacher: 2, "baseline/seed-1": 2, "student/seed-1": 4 });
  expect(counts(plansFor([1, 2, 3]))).toMatchObject({ teacher: 1, "baseline/seed-2": 1, "student/seed-3": 1 });
  expect(counts(plansFor([1, 2]), {}, 2)).toMatchObject({ teacher: 1, "student/seed-1": 1 });
  expect(counts(plansFor([1], [{ kind: "again" }]))).toMatchObject({ "student/seed-1": 4, "again-1/seed-1": 4 });
});

test("what was asked for counts; short trainings, other engines and networks that are tried out get one", () => {
  const plans = plansFor([1]);
  expect(counts(plans, { workers: 3 })).toEqual({ teacher: 3, "baseline/seed-1": 3, "student/seed-1": 3 });
  expect(counts(plans, { data: { train: { count: 500 } } })["student/seed-1"]).toBe(1);
  expect(counts(plans, { engine: { ...wasm, name: "tensorflow" } })["student/seed-1"]).toBe(1);
  const [, , student] = plans as readonly [unknown, unknown, TrainPlan];
  const tried = { ...student, id: "sweep/round-1/a" };
  expect(trainingWorkers({ engine: wasm, data: { train: { count: 60_000 } } }, tried, plans, 4)).toBe(1);
});
