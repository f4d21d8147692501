import type { DType, Tensor } from "./graph.ts";

/** Bytes of one element. */
export const ELEMENT_BYTES: Readonly<Record<DType, number>> = {
  float32: 4,
  float16: 2,
  uint8: 1,
  int8: 1,
  uint16: 2,
  int16: 2,
  int32: 4,
  int64: 8,
  bool: 1,
};

/** A float32 constant of these values. */
export function floatTensor(values: Float32Array, shape: readonly number[]): Tensor {
  return { dtype: "float32", shape, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

/** The values of a float32 constant; copied when its bytes are not aligned. */
export function floatsOf(tensor: Tensor): Float32Array {
  if (tensor.dtype !== "float32") throw new Error(`expected float32, found ${tensor.dtype}`);
  const bytes = tensor.bytes.byteOffset % 4 === 0 ? tensor.bytes : new Uint8Array(tensor.bytes);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}

type Words = Uint8Array | Uint16Array | Uint32Array | BigUint64Array;

/**
 * Reorders the axes of row-major values: axis `k` of the result is axis `order[k]` of the source.
 */
export function permute(values: Float32Array, shape: readonly number[], order: readonly number[]): Float32Array {
  const { buffer } = permuteTensor(floatTensor(values, shape), order).bytes;
  return new Float32Array(buffer);
}

/** The same for a tensor of any type. */
export function permuteTensor({ dtype, shape, bytes }: Tensor, order: readonly number[]): Tensor {
  const source = wordsOf(bytes, ELEMENT_BYTES[dtype]);
  const result = source.slice();
  permuteInto(result, source, shape, order);
  return { dtype, shape: order.map((axis) => shape[axis]!), bytes: new Uint8Array(result.buffer) };
}

/** Elements by their size alone: reordering does not ask what they mean. */
function wordsOf(bytes: Uint8Array, size: number): Words {
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  const { buffer, byteOffset, byteLength } = aligned;
  if (size === 1) return aligned;
  if (size === 2) return new Uint16Array(buffer, byteOffset, byteLength / 2);
  if (size === 4) return new Uint32Array(buffer, byteOffset, byteLength / 4);
  return new BigUint64Array(buffer, byteOffset, byteLength / 8);
}

function permuteInto<T extends Words>(result: T, values: T, shape: readonly number[], order: readonly number[]): void {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const sizes = order.map((axis) => shape[axis]!);
  const steps = order.map((axis) => strides[axis]!);
  const index = new Array<number>(sizes.length).fill(0);
  // A row of the result at a time, then on to where the next one starts.
  const [row, step] = [sizes.at(-1) ?? 1, steps.at(-1) ?? 1];
  let from = 0;
  for (let to = 0; to < result.length; ) {
    for (let i = 0, at = from; i < row; i++, at += step) result[to++] = values[at]!;
    for (let axis = sizes.length - 2; axis >= 0; axis--) {
      index[axis]!++;
      from += steps[axis]!;
      if (index[axis]! < sizes[axis]!) break;
      from -= steps[axis]! * sizes[axis]!;
      index[axis] = 0;
    }
  }
}

/** A float32 scalar. */
export function scalar(value: number): Tensor {
  return floatTensor(Float32Array.of(value), []);
}

/** A one-dimensional int64 constant: a shape, axes, bounds. */
export function intTensor(values: readonly number[]): Tensor {
  const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  return { dtype: "int64", shape: [values.length], bytes };
}
