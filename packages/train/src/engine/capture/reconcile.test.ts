import { expect, test } from "vitest";
import { buildGraph } from "./graph-builder.ts";
import { reconcile } from "./reconcile.ts";
import type { Recording } from "./recorder.ts";
import type { Traced } from "./step-recorder.ts";

/** A step that multiplies its input by a constant. */
const traced = (factor: number, feeds: Record<string, number> = {}, more: object = {}): Traced<Recording> => {
  const graph = buildGraph();
  const x = graph.placeholder(1, []);
  const constant = graph.constant({ shape: [], dtype: 1, values: Float32Array.of(factor) });
  const output = graph.add("Mul", [x, constant]);
  const recording = {
    nodes: graph.nodes,
    inputs: [x],
    outer: [],
    outputs: [output],
    variables: [],
    changes: new Set(),
  };
  return { recording: { ...recording, ...more } as Traced<Recording>["recording"], feeds };
};

test("equal recordings are the step", () => {
  expect(reconcile(traced(2), traced(2))).toMatchObject({ fed: new Map(), inputs: ["n0_Placeholder"] });
});

test("a constant that follows a feed, or its negative, becomes the feed", () => {
  for (const sign of [1, -1]) {
    const result = reconcile(traced(sign * 0.1, { rate: 0.1 }), traced(sign * 0.2, { rate: 0.2 }));
    expect(result).toMatchObject({ fed: new Map([["rate", "feed_rate"]]) });
    const nodes = "nodes" in result ? result.nodes : [];
    expect(nodes.map(({ op }) => op)).toEqual(["Placeholder", "Placeholder", sign === 1 ? "Identity" : "Neg", "Mul"]);
    expect(nodes[2]).toMatchObject({ name: "n1_Const", inputs: ["feed_rate"] });
  }
});

test("a constant that happens to be a feed's value once is not the feed", () => {
  expect(reconcile(traced(0.1, { rate: 0.1 }), traced(0.1, { rate: 0.2 }))).toMatchObject({ fed: new Map() });
  expect(reconcile(traced(0.1, { rate: 0.1 }), traced(0.3, { rate: 0.2 }))).toMatchObject({ op: "Mul" });
});

test("what differs is named by the operation that uses it", () => {
  expect(reconcile(traced(1), traced(2))).toEqual({
    op: "Mul",
    reason: expect.stringMatching(/a constant that it is given differs/),
  });
  const longer = traced(1);
  const nodes = [...longer.recording.nodes, { name: "n3_Neg", op: "Neg", inputs: ["n2_Mul"], attrs: {} }];
  expect(reconcile(traced(1), { ...longer, recording: { ...longer.recording, nodes } })).toEqual({
    op: "Neg",
    reason: expect.stringMatching(/3 operations and the next 4/),
  });
  const outer = (id: number) => ({ outer: [{ name: "n0_Placeholder", id }] });
  expect(reconcile(traced(1, {}, outer(1)), traced(1, {}, outer(2)))).toEqual({
    op: "Mul",
    reason: expect.stringMatching(/from outside/),
  });
});
