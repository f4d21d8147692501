/** What is wrong with a model is said by name and in bounded time. */
import { isDistillateError } from "@distillate/bundle";
import { expect, test } from "vitest";
import { exportModel } from "../export.ts";
import type { ModelArtifacts } from "./artifacts.ts";

type Json = { readonly [key: string]: unknown };

const dense = (name: string, from: readonly string[]): Json => ({
  class_name: "Dense",
  name,
  config: { name, units: 2, activation: "relu", use_bias: false },
  inbound_nodes: [from.map((source) => [source, 0, 0, {}])],
});
const input = {
  class_name: "InputLayer",
  name: "x",
  config: { name: "x", batch_input_shape: [null, 2] },
  inbound_nodes: [],
};

function artifacts(layers: readonly Json[], output: string, bytes?: number): ModelArtifacts {
  const names = layers.slice(1).map(({ name }) => String(name));
  return {
    modelTopology: {
      class_name: "Model",
      config: { name: "m", layers, input_layers: [["x", 0, 0]], output_layers: [[output, 0, 0]] },
    },
    weightSpecs: names.map((name) => ({ name: `${name}/kernel`, shape: [2, 2], dtype: "float32" })),
    weightData: new Uint8Array(bytes ?? names.length * 16),
  };
}

const whole = artifacts([input, dense("a", ["x"])], "a");

const CASES: { readonly [what: string]: readonly [ModelArtifacts, RegExp] } = {
  "no model": [{ ...whole, modelTopology: {} }, /without layers/],
  "layers that are no objects": [
    { ...whole, modelTopology: { class_name: "Model", config: { layers: [3] } } },
    /without layers/,
  ],
  "no inputs": [
    { ...whole, modelTopology: { class_name: "Model", config: { layers: [input] } } },
    /its inputs and outputs/,
  ],
  "a missing shard": [artifacts([input, dense("a", ["x"])], "a", 8), /weights end at 8 bytes, within a\/kernel/],
  "too many bytes": [artifacts([input, dense("a", ["x"])], "a", 20), /20 bytes, expected 16/],
  "a missing weight": [{ ...whole, weightSpecs: [], weightData: new Uint8Array() }, /layer a has no weight kernel/],
  "a cycle": [
    artifacts([input, dense("a", ["b"]), dense("b", ["a"])], "b"),
    /reads b, which is not there or reads it in turn/,
  ],
  "an unknown layer": [artifacts([input, { ...dense("a", ["x"]), class_name: "Quantum" }], "a"), /layer a \(Quantum\)/],
  "an output of nobody": [artifacts([input, dense("a", ["x"])], "z"), /no layer z/],
  "an open input shape": [
    artifacts([{ ...input, config: { name: "x", batch_input_shape: [null, null] } }, dense("a", ["x"])], "a"),
    /its input shape is/,
  ],
};

test.each(Object.keys(CASES))("%s", (what) => {
  const [model, message] = CASES[what]!;
  let found: unknown;
  try {
    exportModel(model, { name: "m" });
  } catch (error) {
    found = error;
  }
  expect(isDistillateError(found), String(found)).toBe(true);
  expect((found as Error).message).toMatch(message);
});

test("a hundred thousand nodes, last layer first", () => {
  const count = 50_000;
  const layers = Array.from({ length: count }, (_, i) => dense(`d${i}`, [i === 0 ? "x" : `d${i - 1}`]));
  const { graph } = exportModel(artifacts([input, ...layers.reverse()], `d${count - 1}`), { name: "deep" });
  expect(graph.nodes.length).toBe(2 * count);
});
