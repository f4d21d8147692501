/** What ops make of constants: the part of ONNX' arithmetic that graphs of tools leave standing before their weights and shapes. */
import type { DType, Node, Tensor } from "../graph.ts";
import { constantContents } from "../infer/contents.ts";
import { ELEMENT_BYTES } from "../tensor.ts";

/** Type and shape of a result, as inferred. */
export interface ResultType {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

type Evaluate = (node: Node, inputs: readonly (Tensor | undefined)[], result: ResultType) => Tensor | undefined;

/** The result of a node whose inputs are these constants; undefined for ops and types that are not in the table. */
export function evaluate(node: Node, inputs: readonly (Tensor | undefined)[], result: ResultType): Tensor | undefined {
  const found = Object.hasOwn(EVALUATE, node.op) ? EVALUATE[node.op]!(node, inputs, result) : undefined;
  const bytes = ELEMENT_BYTES[result.dtype] * count(result.shape);
  return found?.bytes.byteLength === bytes ? found : undefined;
}

const reshaped: Evaluate = (_node, [x], result) => x && { ...result, bytes: x.bytes };

const unary =
  (compute: (x: number) => number): Evaluate =>
  (_node, [x], result) => {
    const values = x && numbersOf(x);
    return values && tensorOf(values.map(compute), result);
  };

const binary =
  (compute: (a: number, b: number, isInteger: boolean) => number): Evaluate =>
  (_node, [a, b], result) => {
    const [x, y] = [a && numbersOf(a), b && numbersOf(b)];
    if (x === undefined || y === undefined || a!.dtype !== b!.dtype) return undefined;
    const [ofX, ofY] = [positions(a!.shape, result.shape), positions(b!.shape, result.shape)];
    const isInteger = result.dtype !== "float32";
    return tensorOf(
      Array.from({ length: count(result.shape) }, (_, i) => compute(x[ofX(i)]!, y[ofY(i)]!, isInteger)),
      result,
    );
  };

/** Elements moved as they are, whatever their type: element `i` of the result is element `from(i)` of the source. */
function moved(x: Tensor, result: ResultType, from: (i: number) => number): Tensor {
  const size = ELEMENT_BYTES[x.dtype];
  const bytes = new Uint8Array(size * count(result.shape));
  for (let i = 0; i < count(result.shape); i++)
    bytes.set(x.bytes.subarray(size * from(i), size * (from(i) + 1)), size * i);
  return { ...result, bytes };
}

const EVALUATE: { readonly [op: string]: Evaluate } = {
  Abs: unary(Math.abs),
  Add: binary((a, b) => a + b),
  Cast: (_node, [x], result) => {
    const values = x && numbersOf(x);
    return values && tensorOf(result.dtype === "float32" ? values : values.map(Math.trunc), result);
  },
  Ceil: unary(Math.ceil),
  Concat: ({ attrs: { axis } }, inputs, result) => {
    if (axis?.kind !== "int" || inputs.includes(undefined)) return undefined;
    const along = axis.value < 0 ? axis.value + result.shape.length : axis.value;
    const inner = count(result.shape.slice(along + 1)) * ELEMENT_BYTES[result.dtype];
    const bytes = new Uint8Array(count(result.shape) * ELEMENT_BYTES[result.dtype]);
    const outer = count(result.shape.slice(0, along));
    let to = 0;
    for (let block = 0; block < outer; block++) {
      for (const part of inputs as readonly Tensor[]) {
        const length = part.shape[along]! * inner;
        bytes.set(part.bytes.subarray(block * length, (block + 1) * length), to);
        to += length;
      }
    }
    return { ...result, bytes };
  },
  Div: binary((a, b, isInteger) => (isInteger ? Math.trunc(a / b) : a / b)),
  Exp: unary(Math.exp),
  Expand: (_node, [x], result) => x && moved(x, result, positions(x.shape, result.shape)),
  Flatten: reshaped,
  Floor: unary(Math.floor),
  Gather: ({ attrs: { axis } }, [x, indices], result) => {
    const picks = indices && numbersOf(indices);
    if (x === undefined || picks === undefined) return undefined;
    const given = axis?.kind === "int" ? axis.value : 0;
    const along = given < 0 ? given + x.shape.length : given;
    const [inner, size] = [count(x.shape.slice(along + 1)), x.shape[along]!];
    return moved(x, result, (i) => {
      const pick = picks[Math.floor(i / inner) % picks.length]!;
      const block = Math.floor(i / (inner * picks.length));
      return (block * size + (pick < 0 ? pick + size : pick)) * inner + (i % inner);
    });
  },
  Identity: reshaped,
  Max: binary((a, b) => Math.max(a, b)),
  Min: binary((a, b) => Math.min(a, b)),
  Mul: binary((a, b) => a * b),
  Neg: unary((x) => -x),
  Reciprocal: unary((x) => 1 / x),
  Reshape: reshaped,
  Shape: ({ attrs: { start, end } }, [x], result) => {
    if (x === undefined) return undefined;
    const at = (attr: typeof start, otherwise: number): number => (attr?.kind === "int" ? attr.value : otherwise);
    return tensorOf(x.shape.slice(at(start, 0), at(end, x.shape.length)), result);
  },
  Slice: (_node, [x, starts, ends, axes, steps], result) => {
    const lists = [starts, ends, axes, steps].map((tensor) => tensor && constantContents(tensor));
    if (x === undefined || lists[0] === undefined || (steps !== undefined && lists[3] === undefined)) return undefined;
    const stride = x.shape.map((_, axis) => count(x.shape.slice(axis + 1)));
    const [begin, step] = [x.shape.map(() => 0), x.shape.map(() => 1)];
    for (const [i, start] of lists[0].entries()) {
      const axis = ((lists[2]?.[i] ?? i) + x.shape.length) % x.shape.length;
      const [size, by] = [x.shape[axis]!, lists[3]?.[i] ?? 1];
      const front = start < 0 ? start + size : start;
      begin[axis] = Math.min(Math.max(front, 0), by < 0 ? size - 1 : size);
      step[axis] = by;
    }
    const sizes = result.shape.map((_, axis) => count(result.shape.slice(axis + 1)));
    return moved(x, result, (i) =>
      result.shape.reduce(
        (from, size, axis) =>
          from + (begin[axis]! + (Math.floor(i / sizes[axis]!) % size) * step[axis]!) * stride[axis]!,
        0,
      ),
    );
  },
  Sqrt: unary(Math.sqrt),
  Squeeze: reshaped,
  Sub: binary((a, b) => a - b),
  Transpose: ({ attrs: { perm } }, [x], result) => {
    if (x === undefined) return undefined;
    const order = perm?.kind === "ints" ? perm.value : x.shape.map((_, axis) => x.shape.length - 1 - axis);
    const steps = order.map((axis) => count(x.shape.slice(axis + 1)));
    const sizes = result.shape.map((_, axis) => count(result.shape.slice(axis + 1)));
    return moved(x, result, (i) =>
      result.shape.reduce((from, size, axis) => from + (Math.floor(i / sizes[axis]!) % size) * steps[axis]!, 0),
    );
  },
  Unsqueeze: reshaped,
};

function count(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Which element of a broadcast operand an element of the result reads. */
function positions(shape: readonly number[], result: readonly number[]): (i: number) => number {
  const missing = result.length - shape.length;
  const sizes = result.map((_, axis) => count(result.slice(axis + 1)));
  const steps = result.map((_, axis) =>
    (shape[axis - missing] ?? 1) === 1 ? 0 : count(shape.slice(axis - missing + 1)),
  );
  return (i) => result.reduce((from, size, axis) => from + (Math.floor(i / sizes[axis]!) % size) * steps[axis]!, 0);
}

/** Floats, and integers as far as they are exact; undefined for other types. */
function numbersOf({ dtype, shape, bytes }: Tensor): readonly number[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = READ[dtype];
  if (read === undefined) return undefined;
  const values = Array.from({ length: count(shape) }, (_, i) => read(view, i));
  return dtype === "float32" || values.every(Number.isSafeInteger) ? values : undefined;
}

const READ: Partial<Record<DType, (view: DataView, i: number) => number>> = {
  bool: (view, i) => view.getUint8(i),
  float32: (view, i) => view.getFloat32(4 * i, true),
  int8: (view, i) => view.getInt8(i),
  int32: (view, i) => view.getInt32(4 * i, true),
  int64: (view, i) => Number(view.getBigInt64(8 * i, true)),
  uint8: (view, i) => view.getUint8(i),
};

/** Undefined for what the type cannot hold, which runtimes treat each in its own way. */
function tensorOf(values: readonly number[], { dtype, shape }: ResultType): Tensor | undefined {
  const bytes = new Uint8Array(ELEMENT_BYTES[dtype] * values.length);
  const view = new DataView(bytes.buffer);
  const isInteger = dtype === "int32" || dtype === "int64";
  if (dtype !== "float32" && !isInteger) return undefined;
  if (isInteger && !values.every((x) => Number.isSafeInteger(x) && (dtype === "int64" || x === (x | 0))))
    return undefined;
  for (const [i, value] of values.entries()) {
    if (dtype === "float32") view.setFloat32(4 * i, value, true);
    else if (dtype === "int64") view.setBigInt64(8 * i, BigInt(value), true);
    else view.setInt32(4 * i, value, true);
  }
  return { dtype, shape, bytes };
}
