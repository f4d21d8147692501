import { beforeAll, expect, test } from "vitest";
import { parseConfig, type RunConfigInput } from "../config.ts";
import { selectEngine } from "../engine/select.ts";
import { checkDistillation } from "./check.ts";
import { finalOf, type NetworkPlan, planNetworks } from "./plan.ts";

beforeAll(async () => {
  await selectEngine({ engine: "wasm" });
});

const cnn = (filters: number[]) => ({ model: { name: "cnn" as const, filters } });
const config = (over: Partial<RunConfigInput>) =>
  parseConfig({ name: "t", data: { kind: "mnist" }, teacher: cnn([16]), student: cnn([4]), ...over });
const ids = (plans: readonly NetworkPlan[]) => plans.map(({ id }) => id);
const said = (plan: NetworkPlan | undefined) => (plan?.kind === "train" ? plan.speakers : undefined);
const data = { shape: [28, 28, 1], classes: 10 } as const;

test("without stages: a teacher, and for each seed a baseline and a student", () => {
  const plans = planNetworks(config({ seeds: [3, 4] }));
  expect(ids(plans)).toEqual(["teacher", "baseline/seed-3", "baseline/seed-4", "student/seed-3", "student/seed-4"]);
  expect(said(plans[3])).toEqual([{ id: "teacher", weight: 1 }]);
  expect(said(plans[1])).toEqual([]);
});

test("a chain: each learns from the one before, and the baseline goes the same way without a teacher", () => {
  const plans = planNetworks(
    config({
      stages: [
        { kind: "assistant", ...cnn([12]), distill: { mse: {} } },
        { kind: "assistant", ...cnn([8]) },
        { kind: "again" },
        { kind: "again" },
        { kind: "finetune", freeze: ["conv1"] },
      ],
    }),
  );
  const by = new Map(plans.map((plan) => [plan.id, plan]));
  const learnsFrom = (id: string) => said(by.get(id))?.map((speaker) => speaker.id);
  expect(learnsFrom("assistant-1")).toEqual(["teacher"]);
  expect(learnsFrom("assistant-2")).toEqual(["assistant-1"]);
  expect(learnsFrom("student/seed-1")).toEqual(["assistant-2"]);
  expect(learnsFrom("again-1/seed-1")).toEqual(["student/seed-1"]);
  expect(learnsFrom("again-2/seed-1")).toEqual(["again-1/seed-1"]);
  expect(by.get("assistant-1")).toMatchObject({ distill: { mse: { weight: 1 } } });
  expect(by.get("finetune-1/seed-1")).toMatchObject({ from: "again-2/seed-1", freeze: ["conv1"], speakers: [] });
  expect(by.get("baseline-finetune-1/seed-1")).toMatchObject({ from: "baseline/seed-1", speakers: [] });
  expect(ids(finalOf(plans, "student"))).toEqual(["finetune-1/seed-1"]);
  expect(ids(finalOf(plans, "baseline"))).toEqual(["baseline-finetune-1/seed-1"]);
  // Whatever a plan needs stands before it.
  for (const [at, plan] of plans.entries()) {
    const needed = [
      ...(said(plan) ?? []).map(({ id }) => id),
      ...(plan.kind === "train" && plan.from ? [plan.from] : []),
    ];
    for (const id of needed) expect(ids(plans).indexOf(id)).toBeLessThan(at);
  }
});

test("several teachers: equal ones differ by seed, students ask each, by weight", () => {
  const plans = planNetworks(
    config({ teacher: { mean: [cnn([16]), { ...cnn([16]), weight: 3 }, { from: "t.onnx" }] } }),
  );
  expect(plans.slice(0, 4)).toMatchObject([
    { id: "teachers/1", kind: "train", seed: 1 },
    { id: "teachers/2", kind: "train", seed: 2 },
    { id: "teachers/3", kind: "bring" },
    { id: "teacher", kind: "mean" },
  ]);
  expect(said(plans.at(-1))).toEqual([
    { id: "teachers/1", weight: 1 },
    { id: "teachers/2", weight: 3 },
    { id: "teachers/3", weight: 1 },
  ]);
});

test("what cannot work is refused before anything is trained", () => {
  const taps = { at: { taps: [{ student: "conv1", teacher: "conv1" }] } };
  const logits = { train: "train.npy", test: "test.npy" };
  const check = (over: Partial<RunConfigInput>) => () => checkDistillation(config(over), data);
  const code = (name: string) => expect.objectContaining({ code: name });
  expect(check({ teacher: { mean: [cnn([16]), cnn([16])] }, distill: taps })).toThrowError(code("taps-unavailable"));
  expect(check({ teacher: { mean: [cnn([16]), cnn([16])] }, distill: taps })).toThrowError(/teacher 1 and teacher 2/);
  expect(check({ teacher: { logits }, distill: taps })).toThrowError(code("taps-unavailable"));
  expect(check({ teacher: { logits }, student: { ...cnn([4]), training: { augment: { flip: true } } } })).toThrowError(
    code("table-view"),
  );
  expect(check({ stages: [{ kind: "finetune", freeze: ["conv7"] }] })).toThrowError(/no layer conv7 to freeze/);
  expect(check({ stages: [{ kind: "finetune", freeze: ["conv1", "logits"] }] })).toThrowError(code("nothing-to-train"));
  expect(check({ data: { kind: "mnist", unlabelled: "more" }, distill: { dkd: {} } })).toThrowError(/have none/);
  // An assistant may have what the student has not.
  const assistant = {
    kind: "assistant" as const,
    ...cnn([8, 8]),
    distill: { sp: { taps: [{ student: "conv2", teacher: "conv1" }] } },
  };
  expect(check({ stages: [assistant] })).not.toThrow();
  expect(check({ stages: [{ ...assistant, model: cnn([8]).model }] })).toThrowError(code("tap-unknown"));
});
