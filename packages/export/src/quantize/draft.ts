/** A quantised graph while it is written: nodes in order, constants, and the forms that all presets share. */
import type { Attrs, DType, Edge, Node, Tensor, Value } from "../graph.ts";
import { scalar } from "../tensor.ts";
import type { ActivationType, Affine } from "./affine.ts";

/** A node to be written, and the type and shape of what it writes. */
export interface DraftNode {
  readonly op: string;
  readonly inputs: readonly Edge[];
  readonly output: Value;
  /** Its output's, where that is free. */
  readonly name?: string;
  readonly attrs?: Attrs;
}

/** See the file's header. */
export interface Draft {
  readonly nodes: Node[];
  readonly constants: Map<Edge, Tensor>;
  readonly values: Map<Edge, Value>;
  /** A node with one output. */
  add(node: DraftNode): void;
  /** The edge of a small constant; equal ones are written once. */
  shared(tensor: Tensor): Edge;
  /** Scale and zero point of an activation. */
  affine(affine: Affine, type: ActivationType): readonly [scale: Edge, zero: Edge];
}

/** An empty draft. */
export function createDraft(): Draft {
  const nodes: Node[] = [];
  const constants = new Map<Edge, Tensor>();
  const values = new Map<Edge, Value>();
  const known = new Map<string, Edge>();
  const shared = (tensor: Tensor): Edge => {
    const key = `${tensor.dtype}[${tensor.shape.join()}]:${tensor.bytes.join()}`;
    const name = known.get(key) ?? `${tensor.dtype === "float32" ? "scale" : "zero"}_${known.size}`;
    known.set(key, name);
    constants.set(name, tensor);
    return name;
  };
  return {
    nodes,
    constants,
    values,
    shared,
    add({ op, inputs, output, name = output.name, attrs = {} }) {
      nodes.push({ op, domain: "", name, inputs, outputs: [output.name], attrs });
      values.set(output.name, output);
    },
    affine: ({ scale, zero }, type) => [shared(scalar(scale)), shared(integerTensor([zero], [], type))],
  };
}

const ARRAYS = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int32: Int32Array,
} as const satisfies Partial<Record<DType, unknown>>;

/** A constant of integers. */
export function integerTensor(values: ArrayLike<number>, shape: readonly number[], dtype: keyof typeof ARRAYS): Tensor {
  return { dtype, shape, bytes: new Uint8Array(ARRAYS[dtype].from(values).buffer) };
}
