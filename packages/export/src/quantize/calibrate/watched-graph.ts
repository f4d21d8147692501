/**
 * The float graph with what calibrators want to see as extra outputs. Of a tensor whose ends are enough the runtime looks for them
 * itself: three numbers come out instead of all values,
 *
 *   ReduceMin(x)   ReduceMax(x)   ReduceSum(0 x)
 *
 * the last of which is not zero when any value is infinite or NaN, which comparisons may pass over.
 */
import type { Edge, Feeds, Graph, Node, Value } from "../../graph.ts";
import { floatsOf, scalar } from "../../tensor.ts";
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

const PARTS = ["least", "most", "wild"] as const;
const ZERO = "nothing/times";

/** See the file's header. */
export function watchedGraph(graph: Graph, calibrators: ReadonlyMap<Edge, Calibrator>): WatchedGraph {
  const nodes: Node[] = [];
  const outputs = new Map(graph.outputs.map((value) => [value.name, value] as const));
  const values = new Map(graph.values);
  const reduced = new Set<Edge>();
  const add = (op: string, name: Edge, inputs: readonly Edge[], value: Omit<Value, "name">): void => {
    const attrs: Node["attrs"] = op === "Mul" ? {} : { keepdims: { kind: "int", value: 0 } };
    nodes.push({ op, domain: "", name, inputs, outputs: [name], attrs });
    values.set(name, { name, ...value });
    if (op !== "Mul") outputs.set(name, { name, ...value });
  };
  for (const [edge, { sees }] of calibrators) {
    const value = graph.values.get(edge);
    if (value === undefined) continue;
    if (sees === "values") {
      outputs.set(edge, value);
      continue;
    }
    const one = { dtype: "float32", shape: [] } as const;
    reduced.add(edge);
    add("ReduceMin", `${edge}/least`, [edge], one);
    add("ReduceMax", `${edge}/most`, [edge], one);
    add("Mul", `${edge}/nothing`, [edge, ZERO], value);
    add("ReduceSum", `${edge}/wild`, [`${edge}/nothing`], one);
  }
  const constants = reduced.size === 0 ? graph.constants : new Map([...graph.constants, [ZERO, scalar(0)] as const]);
  return {
    graph: { ...graph, nodes: [...graph.nodes, ...nodes], outputs: [...outputs.values()], values, constants },
    see(edge, found, batch) {
      if (!reduced.has(edge)) {
        const tensor = found[edge]!;
        return { values: floatsOf(tensor), samples: tensor.shape[0] === batch ? batch : 1 };
      }
      const [least, most, wild] = PARTS.map((part) => floatsOf(found[`${edge}/${part}`]!)[0]!);
      const ends = wild === 0 || !Number.isFinite(least! + most!) ? [least!, most!] : [wild!, wild!];
      return { values: Float32Array.from(ends), samples: 1 };
    },
  };
}
