/**
 * Products of two matrices, by loops that read rows as they lie on the heap:
 *
 *   A B^T   inner products of rows          A^T B   sums of outer products of rows
 *
 * Any other product is one of inner products, of operands turned first; A^T B too where B is large.
 *
 * The backend packs its right operand anew at every call, and its path for transposed ones is a scalar loop.
 */
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { type Tensor, type TensorInfo, tidy, transpose } from "@tensorflow/tfjs-core";
import { loopsOf } from "../simd/loops.ts";
import { plusChannels } from "./add-channels.ts";
import { addressesOf, type GradientKernel, type KernelCall, stockKernel } from "./kernel.ts";

interface Attributes {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** Of products with a bias. */
  readonly activation?: string;
}

/** Bytes of a right operand up to which outer products were measured to be quicker than inner ones of turned operands. */
const MOST_OUTER = 2 ** 17;

/**
 * Makes the kernel of products, alone or with a number added to each column, keeping the stock one for batches of products,
 * activations and what it alone can say is wrong.
 */
export function matMul(name: "BatchMatMul" | "_FusedMatMul"): GradientKernel {
  const stock = stockKernel(name);
  return {
    name,
    run(call: KernelCall<Attributes>): TensorInfo {
      const { backend, attrs } = call;
      const { a, b, bias } = call.inputs as unknown as Operands;
      const [aRows, aColumns] = a.shape.slice(-2);
      const [bRows, bColumns] = b.shape.slice(-2);
      const isPair = (attrs.transposeA ? aRows : aColumns) === (attrs.transposeB ? bColumns : bRows);
      const areFloats = [a, b, bias].every((info) => !info || info.dtype === "float32");
      const isBias = !bias || (bias.shape.length === 1 && bias.shape[0] === (attrs.transposeB ? bRows : bColumns));
      const isLinear = (attrs.activation ?? "linear") === "linear";
      if (!isPair || !areFloats || !isBias || !isLinear || !isSingle(a) || !isSingle(b)) return stock(call);
      const made = product(backend, a, b, attrs);
      if (!bias) return made;
      const sum = plusChannels(backend, made, bias);
      backend.disposeData(made.dataId);
      return sum;
    },
  };
}

interface Operands {
  readonly a: Tensor;
  readonly b: Tensor;
  readonly bias?: TensorInfo;
}

function product(backend: BackendWasm, a: Tensor, b: Tensor, { transposeA, transposeB }: Attributes): TensorInfo {
  const [aRows, aColumns] = a.shape.slice(-2) as [number, number];
  const [bRows, bColumns] = b.shape.slice(-2) as [number, number];
  const [rows, columns] = [transposeA ? aColumns : aRows, transposeB ? bRows : bColumns];
  const batch = a.shape.length > b.shape.length ? a.shape.slice(0, -2) : b.shape.slice(0, -2);
  const shape = [...batch, rows, columns];

  if (transposeA && !transposeB && b.size * 4 <= MOST_OUTER) {
    const output = backend.makeOutput(shape, "float32");
    backend.typedArrayFromHeap(output).fill(0);
    const [left, right, to] = addressesOf(backend, [a, b, output]);
    loopsOf(backend).outerSums(left, aColumns * 4, 0, aColumns, right, bColumns * 4, bColumns, to, aRows, 1);
    return output;
  }
  return tidy(() => {
    const operands = [transposeA ? turned(a) : a, transposeB ? b : turned(b)] as const;
    const output = backend.makeOutput(shape, "float32");
    const [left, right, to] = addressesOf(backend, [...operands, output]);
    loopsOf(backend).innerProducts(left, rows, right, columns, to, transposeA ? aRows : aColumns);
    return output as Tensor;
  });
}

function isSingle({ shape }: TensorInfo): boolean {
  return shape.slice(0, -2).every((size) => size === 1);
}

function turned(matrix: Tensor): Tensor {
  const axes = matrix.shape.map((_, axis) => axis);
  return transpose(matrix, [...axes.slice(0, -2), axes.at(-1)!, axes.at(-2)!]);
}
