import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { selectEngine } from "../select.ts";
import { engineStatus } from "../status.ts";
import { compileStep, type Tensors } from "./compile-step.ts";
import { typeOf } from "./graph-builder.ts";
import type { GraphNode } from "./graph-def.ts";
import { roundConvolutions } from "./half-precision.ts";

process.execArgv.push("--import", "tsx", "--conditions=@distillate/source");
const { ok, detail } = await engineStatus("tensorflow");

const [float32, bfloat16] = [typeOf(1), typeOf(14)];
const node = (name: string, op: string, inputs: string[], attrs: GraphNode["attrs"] = { T: float32 }): GraphNode => {
  return { name, op, inputs, attrs };
};

test("each operand is rounded once, the result is float32 under the name that others know", () => {
  const rounded = roundConvolutions([
    node("y", "Conv2D", ["x", "w"]),
    node("dw", "Conv2DBackpropFilter", ["x", "shape", "dy"]),
    node("end", "Relu", ["y"]),
  ]);
  const down = { SrcT: float32, DstT: bfloat16 };
  const up = { SrcT: bfloat16, DstT: float32 };
  expect(rounded).toEqual([
    node("y_operand0", "Cast", ["x"], down),
    node("y_operand1", "Cast", ["w"], down),
    node("y_rounded", "Conv2D", ["y_operand0", "y_operand1"], { T: bfloat16 }),
    node("y", "Cast", ["y_rounded"], up),
    node("dw_operand2", "Cast", ["dy"], down),
    node("dw_rounded", "Conv2DBackpropFilter", ["y_operand0", "shape", "dw_operand2"], { T: bfloat16 }),
    node("dw", "Cast", ["dw_rounded"], up),
    node("end", "Relu", ["y"]),
  ]);
});

test("another output of a node is another operand, and what must be over before a convolution stays in front of it", () => {
  const [first, second, convolution] = roundConvolutions([node("y", "Conv2D", ["x", "x:1", "^before"])]);
  expect([first!.inputs, second!.inputs]).toEqual([["x"], ["x:1"]]);
  expect(convolution!.inputs).toEqual(["y_operand0", "y_operand1", "^before"]);
});

test.each([
  ["is no convolution", node("y", "MatMul", ["x", "w"])],
  ["is in another type already", node("y", "Conv2D", ["x", "w"], { T: bfloat16 })],
])("what %s stays", (_why, each) => {
  const nodes = [each];
  expect(roundConvolutions(nodes)).toBe(nodes);
});

describe.skipIf(!ok)(`in a graph${ok ? "" : ` (${detail})`}`, () => {
  const wave = (shape: [number, number, number, number], pitch: number) =>
    tf.tensor4d(
      Float32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => Math.sin(i * pitch)),
      shape,
    );
  const slopes = tf.grads((x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, "same"));
  const step = ({ x, w, dy }: Tensors): Tensors => {
    const [dx, dw] = slopes([x!, w!], dy!);
    return { y: tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, "same"), dx: dx!, dw: dw! };
  };

  test("a convolution and its gradients: within bfloat16's rounding of the exact ones, and not the exact ones", async () => {
    await selectEngine({ engine: "tensorflow" });
    const compiled = compileStep(step, { optimizer: null, precision: "bfloat16" });
    const inputs = { x: wave([2, 9, 8, 5], 1.3), w: wave([3, 3, 5, 6], 0.7), dy: wave([2, 9, 8, 6], 2.1) };
    const { x, w, dy } = inputs;
    const exact = tf.tidy(() => step(inputs));
    // What all products would add up to if none took from another: what rounding errors are a part of.
    const size = tf.tidy(() => step({ x: tf.abs(x), w: tf.abs(w), dy: tf.abs(dy) }));
    for (let i = 0; i < 2; i++) tf.dispose(Object.values(compiled.run(inputs)));
    const rounded = compiled.run(inputs);
    expect(compiled.stats().captured).toBe(1);
    for (const name of ["y", "dx", "dw"]) {
      const [got, wanted, most] = [rounded[name]!, exact[name]!, size[name]!].map((of) => of.dataSync<"float32">());
      const worst = Math.max(...Array.from(got!, (value, i) => Math.abs(value - wanted![i]!) / most![i]!));
      // A significand of eight bits: both operands and the result are off by at most 2^-9 of themselves.
      expect(worst).toBeLessThan(2 ** -7);
      expect(worst).toBeGreaterThan(2 ** -13);
    }
    compiled.dispose();
    tf.dispose([inputs, exact, size, rounded].flatMap((each) => Object.values(each)));
  });
});
