import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { selectEngine } from "../select.ts";
import { engineStatus } from "../status.ts";
import { compileStep } from "./compile-step.ts";
import type { GraphNode } from "./graph-def.ts";
import { cutAfterPooling } from "./rectified-pooling.ts";

process.execArgv.push("--import", "tsx", "--conditions=@distillate/source");
const { ok, detail } = await engineStatus("tensorflow");

const node = (name: string, op: string, ...inputs: string[]): GraphNode => ({ name, op, inputs, attrs: {} });
const step: readonly GraphNode[] = [
  node("y", "Relu", "x"),
  node("p", "MaxPool", "y"),
  node("back", "MaxPoolGrad", "y", "p", "d"),
  node("cut", "ReluGrad", "back", "y"),
  node("end", "Neg", "cut"),
];

test("the cut moves in front of the pooling's gradient, under the name that others know", () => {
  expect(cutAfterPooling(step)).toEqual([
    ...step.slice(0, 2),
    node("back_pooled", "ReluGrad", "d", "p"),
    node("back", "MaxPoolGrad", "y", "p", "back_pooled"),
    node("cut", "Identity", "back"),
    node("end", "Neg", "cut"),
  ]);
});

test.each([
  ["the pooling's gradient is wanted elsewhere too", [...step, node("other", "Neg", "back")]],
  ["what was pooled was not rectified", [node("y", "Elu", "x"), ...step.slice(1)]],
  ["another rectifier cuts", [node("y", "Relu6", "x"), ...step.slice(1)]],
  [
    "the cut is by another map",
    step.map((each) => (each.name === "cut" ? node("cut", "ReluGrad", "back", "p") : each)),
  ],
])("nothing moves where %s", (_why, nodes) => {
  expect(cutAfterPooling(nodes)).toBe(nodes);
});

describe.skipIf(!ok)(`in a graph${ok ? "" : ` (${detail})`}`, () => {
  test.each([
    ["relu", tf.relu],
    ["relu6", tf.relu6],
  ] as const)("%s: the same bits as the composed gradient, ties and corners included", async (_name, rectify) => {
    await selectEngine({ engine: "tensorflow" });
    const slope = tf.grad((x) => tf.maxPool(rectify(x) as tf.Tensor4D, 2, 2, "valid"));
    const compiled = compileStep(({ x, d }) => ({ dx: slope(x!, d!) }), { optimizer: null });
    const corners = [0, -1, 6, 7, 3, 3];
    for (let step = 0; step < 5; step++) {
      const [x, d] = tf.tidy(() => [
        tf.tensor(
          Array.from({ length: 2 * 7 * 6 * 3 }, (_, i) =>
            i % 4 ? 5 * Math.sin(i * 1.7 + step) + 2 : corners[(i + step) % 6]!,
          ),
          [2, 7, 6, 3],
        ),
        tf.tensor(
          Array.from({ length: 2 * 3 * 3 * 3 }, (_, i) => Math.cos(i * 2.3)),
          [2, 3, 3, 3],
        ),
      ]);
      const { dx } = compiled.run({ x: x!, d: d! });
      const expected = tf.tidy(() => slope(x!, d!));
      // Adding zero makes one zero of the two.
      expect(tf.add(dx!, 0).dataSync()).toEqual(tf.add(expected, 0).dataSync());
      tf.dispose([x!, d!, dx!, expected]);
    }
    expect(compiled.stats().captured).toBe(3);
    compiled.dispose();
  });
});
