import { type Graph, inferShapes, summarize } from "@distillate/export";
import { expect, test } from "vitest";
import { graphPage } from "./graph-page.ts";

/** Relus in a row, an Add of the first and the last. */
function chain(length: number, name = (i: number): string => `relu${i}`): Graph {
  const nodes = Array.from({ length }, (_, i) => ({
    op: "Relu",
    domain: "",
    name: name(i),
    inputs: [i === 0 ? "x" : name(i - 1)],
    outputs: [name(i)],
    attrs: {},
  }));
  const sum = { op: "Add", domain: "", name: "y", inputs: [name(0), name(length - 1)], outputs: ["y"], attrs: {} };
  return inferShapes({
    name: "chain",
    opset: 17,
    inputs: [{ name: "x", dtype: "float32", shape: ["batch", 4] }],
    outputs: [{ name: "y", dtype: "float32", shape: ["batch", 4] }],
    nodes: [...nodes, sum],
    constants: new Map(),
    values: new Map(),
  });
}

const page = (graph: Graph): string => graphPage("model.onnx", 123_456, graph, summarize(graph));

test("every node is a box, every edge a line, inputs and outputs among them", () => {
  const html = page(chain(3));
  expect(html.match(/<rect /g)).toHaveLength(4 + 2);
  // x to relu0, two between Relus, two into the Add, one to y.
  expect(html.match(/<path /g)).toHaveLength(1 + 2 + 2 + 1);
  expect(html).toContain("123,456 bytes");
  expect(html).toContain("batch×4");
});

test("what is too large to draw is listed, and said to be", () => {
  const html = page(chain(700));
  expect(html).not.toContain("<svg");
  expect(html).toContain("701 nodes are listed below, not drawn");
  expect(html).toContain("relu699: float32[batch,4]");
});

test("a name from a foreign file is text, never markup", () => {
  const html = page(chain(2, (i) => `<script>alert(${i})</script>`));
  expect(html).not.toContain("<script");
  expect(html).toContain("&lt;script&gt;");
});
