/**
 * The float graph with what calibrators want to see as extra outputs. Of a tensor whose ends are enough the runtime looks for them
 * itself: three numbers come out instead of all values,
 *
 *   ReduceMin(x)   ReduceMax(x)   ReduceSum(x)
 *
 * the last of which is NaN when any value is, which comparisons may pass over. An infinite sum of finite values is only large.
 */
import type { Edge, Feeds, Graph, Node } from "../../graph.ts";
import { floatsOf } from "../../tensor.ts";
import type { Calibrator } from "./calibrator.ts";

/** What is seen of one tensor in one batch. */
export interface Seen {
  /** Its values, or its smallest and largest; one that is not finite when any is. */
  readonly values: Float32Array;
  /** How many samples stand along its first axis; 1 where there is no such axis. */
  readonly samples: number;
}

/** A graph to be run, and how to read what comes out. */
export interface WatchedGraph {
  readonly graph: Graph;
  readonly see: (edge: Edge, found: Feeds, batch: number) => Seen;
}

const PARTS = ["least", "most", "sum"] as const;

/** See the file's header. */
export function watchedGraph(graph: Graph, calibrators: ReadonlyMap<Edge, Calibrator>): WatchedGraph {
  const nodes: Node[] = [];
  const outputs = new Map(graph.outputs.map((value) => [value.name, value] as const));
  const values = new Map(graph.values);
  const reduced = new Set<Edge>();
  const add = (op: string, name: Edge, input: Edge): void => {
    const value = { name, dtype: "float32", shape: [] } as const;
    const attrs = { keepdims: { kind: "int", value: 0 } } as const;
    nodes.push({ op, domain: "", name, inputs: [input], outputs: [name], attrs });
    values.set(name, value);
    outputs.set(name, value);
  };
  for (const [edge, { sees }] of calibrators) {
    const value = graph.values.get(edge);
    if (value === undefined) continue;
    if (sees === "values") {
      outputs.set(edge, value);
      continue;
    }
    reduced.add(edge);
    add("ReduceMin", `${edge}/least`, edge);
    add("ReduceMax", `${edge}/most`, edge);
    add("ReduceSum", `${edge}/sum`, edge);
  }
  return {
    graph: { ...graph, nodes: [...graph.nodes, ...nodes], outputs: [...outputs.values()], values },
    see(edge, found, batch) {
      if (!reduced.has(edge)) {
        const tensor = found[edge]!;
        return { values: floatsOf(tensor), samples: tensor.shape[0] === batch ? batch : 1 };
      }
      const [least, most, sum] = PARTS.map((part) => floatsOf(found[`${edge}/${part}`]!)[0]!);
      return { values: Float32Array.of(...(Number.isNaN(sum) ? [sum!, sum!] : [least!, most!])), samples: 1 };
    },
  };
}
