import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { selectEngine } from "./engine/select.ts";
import { buildModel } from "./models/index.ts";
import { profileSteps } from "./profile.ts";

beforeAll(async () => {
  await selectEngine({ engine: "wasm" });
});

test("every kernel's time is in one operation and one layer, forward and backward apart; tfjs is as before", async () => {
  const model = buildModel(
    { name: "cnn", filters: [3], dense: 0, dropout: 0 },
    { shape: [8, 8, 1], classes: 3, seed: 1 },
  );
  const x = tf.ones([4, 8, 8, 1]);
  const take = async (): Promise<void> => {
    tf.tidy(() => {
      tf.variableGrads(() => tf.mean(tf.square(model.apply(x, { training: true }) as tf.Tensor)) as tf.Scalar);
    });
  };
  // A clock that ticks at every look: a kernel's time is what it and those inside of it look.
  let now = 0;
  const profile = await profileSteps({ models: [model], steps: 2, take, clock: () => ++now });
  expect(profile.steps).toBe(2);
  const byName = new Map(profile.layers.map((layer) => [layer.name, layer]));
  expect([...byName.keys()]).toEqual([...model.layers.map(({ name }) => name), "(losses and update)"]);
  for (const name of ["conv1", "pool1", "logits", "(losses and update)"]) {
    expect(byName.get(name)!.forward, name).toBeGreaterThan(0);
    expect(byName.get(name)!.backward, name).toBeGreaterThan(0);
  }
  const calls = new Map(profile.ops.map((op) => [op.name, op.calls]));
  expect(calls.get("Conv2D") ?? calls.get("FusedConv2D")).toBeGreaterThanOrEqual(1);
  expect(calls.get("MaxPool")).toBe(1);
  expect(calls.get("MaxPoolGrad")).toBe(1);
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
  const inOps = sum(profile.ops.map(({ milliseconds }) => milliseconds));
  expect(sum(profile.layers.map(({ forward, backward }) => forward + backward))).toBeCloseTo(inOps, 9);
  expect(profile.milliseconds).toBeCloseTo(inOps + profile.javascript, 9);
  const looks = now;
  await take();
  expect(now).toBe(looks);
});

test("a step that fails leaves nothing behind", async () => {
  const model = buildModel(
    { name: "cnn", filters: [2], dense: 0, dropout: 0 },
    { shape: [8, 8, 1], classes: 2, seed: 1 },
  );
  let now = 0;
  const take = (): Promise<never> => Promise.reject(new Error("no step"));
  await expect(profileSteps({ models: [model], steps: 1, take, clock: () => ++now })).rejects.toThrow("no step");
  const looks = now;
  tf.tidy(() => model.predict(tf.ones([1, 8, 8, 1])));
  expect(now).toBe(looks);
});
