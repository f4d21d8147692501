/** A graph as SVG: nodes in layers from inputs to outputs, by dagre (Gansner et al. 1993, the network simplex ranking). */

import { graphlib, layout } from "@dagrejs/dagre";
import { escapeHtml } from "@distillate/bench";
import type { Edge, Graph, Node, Value } from "@distillate/export";

/** More than this is neither drawn in reasonable time nor read by anyone. */
export const MOST_DRAWN = 600;

const HEIGHT = { plain: 26, shaped: 42 } as const;
const CHARACTER = 7.2;

interface Box {
  readonly key: string;
  readonly title: string;
  readonly detail: string;
  readonly kind: string;
  readonly hover: string;
}

/** Draws a graph of at most `MOST_DRAWN` nodes. */
export function drawGraph(graph: Graph): string {
  const drawing = new graphlib.Graph();
  drawing.setGraph({ rankdir: "TB", nodesep: 18, ranksep: 26, marginx: 8, marginy: 8 });
  drawing.setDefaultEdgeLabel(() => ({}));
  const boxes = boxesOf(graph);
  for (const { key, title, detail } of boxes) {
    const width = CHARACTER * Math.max(title.length, detail.length) + 20;
    drawing.setNode(key, { width, height: detail === "" ? HEIGHT.plain : HEIGHT.shaped });
  }
  const writer = new Map<Edge, string>();
  for (const { name } of graph.inputs) writer.set(name, `input ${name}`);
  for (const node of graph.nodes) {
    for (const edge of node.inputs) {
      const from = writer.get(edge);
      if (from !== undefined) drawing.setEdge(from, `node ${node.name}`);
    }
    for (const edge of node.outputs) writer.set(edge, `node ${node.name}`);
  }
  for (const { name } of graph.outputs) drawing.setEdge(writer.get(name)!, `output ${name}`);
  layout(drawing);

  const { width = 0, height = 0 } = drawing.graph();
  const lines = drawing.edges().map((edge: { readonly v: string; readonly w: string }) => {
    const { points } = drawing.edge(edge) as { points: readonly { x: number; y: number }[] };
    return `<path d="M${points.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join("L")}"/>`;
  });
  const drawn = boxes.map((box) => {
    const at = drawing.node(box.key) as { x: number; y: number; width: number; height: number };
    const [left, top] = [at.x - at.width / 2, at.y - at.height / 2];
    const text = (line: string, y: number, kind: string): string =>
      `<text x="${at.x.toFixed(1)}" y="${y.toFixed(1)}" class="${kind}">${escapeHtml(line)}</text>`;
    return `<g class="${box.kind}"><title>${escapeHtml(box.hover)}</title><rect x="${left.toFixed(1)}" y="${top.toFixed(1)}" width="${at.width.toFixed(1)}" height="${at.height}" rx="6"/>${text(box.title, top + 17, "op")}${box.detail === "" ? "" : text(box.detail, top + 33, "shape")}</g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${Math.ceil(width)} ${Math.ceil(height)}" width="${Math.ceil(width)}" height="${Math.ceil(height)}" role="img" aria-label="The graph of ${escapeHtml(graph.name)}: ${graph.nodes.length} nodes"><g class="edges">${lines.join("")}</g>${drawn.join("")}</svg>`;
}

function boxesOf(graph: Graph): readonly Box[] {
  const outer = (kind: string, { name, dtype, shape }: Value): Box => ({
    key: `${kind} ${name}`,
    title: name,
    detail: `${dtype} ${shape.join("×")}`,
    kind: "end",
    hover: `${kind} ${name}`,
  });
  return [
    ...graph.inputs.map((value) => outer("input", value)),
    ...graph.nodes.map((node): Box => {
      const value = graph.values.get(node.outputs[0]!);
      return {
        key: `node ${node.name}`,
        title: node.op,
        detail: value === undefined ? "" : value.shape.join("×"),
        kind: kindOf(node),
        hover: describe(graph, node),
      };
    }),
    ...graph.outputs.map((value) => outer("output", value)),
  ];
}

const WEIGHTED = new Set(["Conv", "ConvTranspose", "GRU", "Gather", "Gemm", "LSTM", "MatMul", "RNN"]);

/** Weights, pairs of quantisation, all else: what the eye looks for. */
function kindOf({ op }: Node): string {
  if (op === "QuantizeLinear" || op === "DequantizeLinear") return "quantised";
  return WEIGHTED.has(op) ? "weighted" : "plain";
}

function describe(graph: Graph, { name, inputs, attrs }: Node): string {
  const constants = inputs.flatMap((edge) => {
    const constant = graph.constants.get(edge);
    return constant === undefined ? [] : [`${edge}: ${constant.dtype} ${constant.shape.join("×")}`];
  });
  const settings = Object.entries(attrs).map(
    ([key, attr]) => `${key} = ${attr.kind === "tensor" ? "a tensor" : String(attr.value)}`,
  );
  return [name, ...constants, ...settings].join("\n");
}
