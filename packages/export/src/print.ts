import type { Attr, Dim, Edge, Graph, Value } from "./graph.ts";

/** The graph as text, one line a node: results, their type and shape, op, inputs, attributes. Constants show their shape. */
export function printGraph(graph: Graph): string {
  const lines = [
    `graph ${graph.name} (opset ${graph.opset})`,
    ...graph.inputs.map((value) => `input  ${printValue(value)}`),
    ...graph.nodes.map(({ op, domain, name, inputs, outputs, attrs }) => {
      const results = outputs.map((edge) =>
        printValue(graph.values.get(edge) ?? { name: edge, dtype: "float32", shape: [] }),
      );
      const entries = Object.entries(attrs).map(([key, attr]) => `${key}=${printAttr(attr)}`);
      const called = `${domain === "" ? "" : `${domain}.`}${op}(${inputs.map((edge) => printInput(graph, edge)).join(", ")})`;
      const label = outputs[0] === name ? "" : `  # ${name}`;
      return `  ${results.join(", ")} = ${called}${entries.length > 0 ? ` {${entries.join(", ")}}` : ""}${label}`;
    }),
    ...graph.outputs.map((value) => `output ${printValue(value)}`),
  ];
  return `${lines.join("\n")}\n`;
}

function printValue({ name, dtype, shape }: Value): string {
  return `${name}: ${dtype}${printShape(shape)}`;
}

function printInput(graph: Graph, edge: Edge): string {
  const constant = graph.constants.get(edge);
  if (constant === undefined) return edge === "" ? "_" : edge;
  return `${edge} ${constant.dtype}${printShape(constant.shape)}`;
}

function printShape(shape: readonly Dim[]): string {
  return `[${shape.join(",")}]`;
}

function printAttr(attr: Attr): string {
  if (attr.kind === "tensor") return `${attr.value.dtype}${printShape(attr.value.shape)}`;
  return typeof attr.value === "object" ? `[${attr.value.join(",")}]` : String(attr.value);
}
