/**
 * Products of two matrices, by loops that read rows as they lie on the heap:
 *
 *   A B^T   inner products of rows          A^T B   sums of outer products of rows
 *
 * Any other product is one of inner products, of operands turned first; A^T B too where B is large.
 *
 * The backend packs its right operand anew at every call, and its path for transposed ones is a scalar loop.
 */
import { type Tensor, type TensorInfo, tidy, transpose } from "@tensorflow/tfjs-core";
import { loopsOf } from "../simd/loops.ts";
import { addressesOf, type GradientKernel, type KernelCall, stockKernel } from "./kernel.ts";

type Attributes = { readonly transposeA: boolean; readonly transposeB: boolean };

/** Bytes of a right operand up to which outer products were measured to be quicker than inner ones of turned operands. */
const MOST_OUTER = 2 ** 17;

/** Makes the kernel, keeping the stock one for batches of products and what it alone can say is wrong. */
export function batchMatMul(): GradientKernel {
  const stock = stockKernel("BatchMatMul");
  return {
    name: "BatchMatMul",
    run(call: KernelCall<Attributes>): TensorInfo {
      const { backend, inputs, attrs } = call;
      const { a, b } = inputs as unknown as { readonly a: Tensor; readonly b: Tensor };
      const { transposeA, transposeB } = attrs;
      const [aRows, aColumns] = a.shape.slice(-2) as [number, number];
      const [bRows, bColumns] = b.shape.slice(-2) as [number, number];
      const isPair = (transposeA ? aRows : aColumns) === (transposeB ? bColumns : bRows);
      const isFloat = a.dtype === "float32" && b.dtype === "float32";
      if (!isPair || !isFloat || !isSingle(a) || !isSingle(b)) return stock(call);
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
    },
  };
}

function isSingle({ shape }: TensorInfo): boolean {
  return shape.slice(0, -2).every((size) => size === 1);
}

function turned(matrix: Tensor): Tensor {
  const axes = matrix.shape.map((_, axis) => axis);
  return transpose(matrix, [...axes.slice(0, -2), axes.at(-1)!, axes.at(-2)!]);
}
