/**
 * Grows a graph node by node. Constants are written once each, and those that are one value all over (tfjs' gradients are full of
 * `ones`) as a Fill: they would make up nearly all of the file.
 */
import { DTYPES } from "./binding.ts";
import type { Attr, GraphNode } from "./graph-def.ts";

/** A value that JavaScript made. */
export interface HostConstant {
  readonly shape: readonly number[];
  readonly dtype: number;
  readonly values: Float32Array | Int32Array | Uint8Array;
}

/** A graph under construction; all functions but the first return the new node's name. */
export interface GraphBuilder {
  readonly nodes: readonly GraphNode[];
  add(op: string, inputs: readonly string[], attrs?: Readonly<Record<string, Attr>>): string;
  placeholder(dtype: number, shape: readonly number[]): string;
  constant(value: HostConstant): string;
}

const FILL_FROM = 32;
const DEDUPLICATE_TO = 4096;

/** The attribute that names a type. */
export function typeOf(dtype: number): Attr {
  return { kind: "type", value: dtype };
}

/** Starts an empty graph. */
export function buildGraph(): GraphBuilder {
  const nodes: GraphNode[] = [];
  const known = new Map<string, string>();
  const add: GraphBuilder["add"] = (op, inputs, attrs = {}) => {
    const name = `n${nodes.length}_${op}`;
    nodes.push({ name, op, inputs, attrs });
    return name;
  };
  const constant = ({ dtype, shape, values }: HostConstant): string => {
    if (values.length >= FILL_FROM && values.every((each) => each === values[0])) {
      const dims = constant({ dtype: DTYPES.int32, shape: [shape.length], values: Int32Array.from(shape) });
      const one = constant({ dtype, shape: [], values: values.slice(0, 1) });
      return add("Fill", [dims, one], { T: typeOf(dtype), index_type: typeOf(DTYPES.int32) });
    }
    // The array may be written to again.
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice();
    const make = (): string =>
      add("Const", [], { dtype: typeOf(dtype), value: { kind: "tensor", value: { dtype, shape: [...shape], bytes } } });
    if (values.length > DEDUPLICATE_TO) return make();
    const key = `${dtype} ${shape} ${Buffer.from(bytes).toString("latin1")}`;
    const name = known.get(key) ?? make();
    known.set(key, name);
    return name;
  };
  return {
    nodes,
    add,
    placeholder: (dtype, shape) =>
      add("Placeholder", [], { dtype: typeOf(dtype), shape: { kind: "shape", value: [...shape] } }),
    constant,
  };
}
