import type { Edge, Graph, Node } from "../../graph.ts";

/** A weight of a node: which input, and along which of its axes each index gets a scale of its own; none, where it is no weight. */
interface WeightInput {
  readonly input: number;
  readonly axes: (node: Node, rank: number) => readonly number[] | undefined;
}

const channel: WeightInput = { input: 1, axes: () => [0] };
/** `[directions, gates times units, depth]`: a scale for each unit of each gate. */
const recurrent: readonly WeightInput[] = [1, 2].map((input) => ({ input, axes: () => [0, 1] }));

/** The weights of each op that multiplies by weights, or looks rows of them up. */
const WEIGHT_INPUTS: { readonly [op: string]: readonly WeightInput[] } = {
  Conv: [channel],
  ConvTranspose: [{ input: 1, axes: () => [1] }],
  GRU: recurrent,
  // Rows of a table; other axes are no embedding.
  Gather: [{ input: 0, axes: ({ attrs: { axis } }) => (axis?.kind === "int" && axis.value !== 0 ? undefined : [0]) }],
  Gemm: [{ input: 1, axes: ({ attrs: { transB } }) => [transB?.kind === "int" && transB.value === 1 ? 0 : 1] }],
  LSTM: recurrent,
  // All but the axis that is summed over.
  MatMul: [
    { input: 1, axes: (_node, rank) => [...Array(rank).keys()].filter((axis) => rank > 1 && axis !== rank - 2) },
  ],
  RNN: recurrent,
};

/** A float constant that its readers only multiply by, and how its scales lie. */
export interface StoredWeight {
  readonly edge: Edge;
  readonly readers: readonly Node[];
  /** Axes along which each index has a scale of its own. */
  readonly axes: readonly number[];
}

/** The weights of a graph, in the order of their first readers. One that is read in two ways is none. */
export function weightsOf(graph: Graph): readonly StoredWeight[] {
  const found = new Map<Edge, StoredWeight | undefined>();
  for (const node of graph.nodes) {
    const isOwn = node.domain === "" && Object.hasOwn(WEIGHT_INPUTS, node.op);
    for (const [input, edge] of node.inputs.entries()) {
      const tensor = graph.constants.get(edge);
      if (tensor?.dtype !== "float32") continue;
      const rule = isOwn ? WEIGHT_INPUTS[node.op]!.find((one) => one.input === input) : undefined;
      const axes = rule?.axes(node, tensor.shape.length);
      const known = found.get(edge);
      const agrees =
        !found.has(edge) ||
        (known !== undefined &&
          String(known.axes) === String(axes) &&
          (known.readers[0]!.op === "Gather") === (node.op === "Gather"));
      found.set(
        edge,
        axes === undefined || !agrees ? undefined : { edge, axes, readers: [...(known?.readers ?? []), node] },
      );
    }
  }
  for (const { name } of graph.outputs) found.delete(name);
  return [...found.values()].filter((weight) => weight !== undefined);
}
