/**
 * Products of two matrices, by loops that read rows as they lie on the heap:
 *
 *   A B^T   inner products of rows
 *   A^T B   sums of outer products of rows
 *   A B     each row of A a pixel and B a filter of one by one
 *
 * Of large operands, and of few columns, inner products alone, with operands turned first.
 *
 * The backend packs its right operand anew at every call, and its path for transposed ones is a scalar loop.
 */
import { type Tensor, type TensorInfo, tidy, transpose } from "@tensorflow/tfjs-core";
import { loopsOf } from "../simd/loops.ts";
import { plusChannels } from "./add-channels.ts";
import { channelEnds } from "./channel-ends.ts";
import { addressesOf, type GradientKernel, type KernelCall, stockKernel } from "./kernel.ts";

interface Attributes {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** Of products with a bias. */
  readonly activation?: string;
}

interface Operands {
  readonly a: Tensor;
  readonly b: Tensor;
  /** Added to each row. */
  readonly bias?: TensorInfo;
}

/** Bytes of a right operand up to which outer products were measured to be quicker than other ones of turned operands. */
const MOST_OUTER = 2 ** 17;
/** Bytes of a right operand up to which it was measured to be quicker to read its columns where they lie than to turn it. */
const MOST_IN_PLACE = 2 ** 20;
/** The convolution loop has no fewer filters. */
const FEWEST_FILTERS = 4;

/**
 * Makes the kernel of products, alone or with a bias, keeping the stock one for batches of products, activations and what it alone
 * can say is wrong.
 */
export function matMul(name: "BatchMatMul" | "_FusedMatMul"): GradientKernel {
  const stock = stockKernel(name);
  return {
    name,
    run(call: KernelCall<Attributes>): TensorInfo {
      const { backend, attrs } = call;
      const { a, b, bias } = call.inputs as unknown as Operands;
      const [aRows, aColumns] = a.shape.slice(-2) as [number, number];
      const [bRows, bColumns] = b.shape.slice(-2) as [number, number];
      const { transposeA, transposeB, activation = "linear" } = attrs;
      const [rows, inner] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
      const [otherInner, columns] = transposeB ? [bColumns, bRows] : [bRows, bColumns];
      const areFloats = [a, b, bias].every((info) => !info || info.dtype === "float32");
      const isBias = !bias || (bias.shape.length === 1 && bias.shape[0] === columns);
      const isOurs = inner === otherInner && areFloats && isBias && activation === "linear";
      if (!isOurs || !isSingle(a) || !isSingle(b)) return stock(call);

      const batch = a.shape.length > b.shape.length ? a.shape.slice(0, -2) : b.shape.slice(0, -2);
      const output = backend.makeOutput([...batch, rows, columns], "float32");
      const loops = loopsOf(backend);
      if (transposeA && !transposeB && !bias && b.size * 4 <= MOST_OUTER) {
        backend.typedArrayFromHeap(output).fill(0);
        const [left, right, to] = addressesOf(backend, [a, b, output]);
        loops.outerSums(left, aColumns * 4, 0, aColumns, right, bColumns * 4, bColumns, to, aRows, 1);
        return output;
      }
      return tidy(() => {
        const pixels = transposeA ? turned(a) : a;
        if (!transposeB && columns >= FEWEST_FILTERS && b.size * 4 <= MOST_IN_PLACE) {
          const ends = channelEnds(backend, columns, bias);
          const [left, right, to, at] = addressesOf(backend, [pixels, b, output, ends]);
          loops.convolve(left, inner * 4, 0, 0, right, inner, 1, at, to, rows, 1, columns);
          backend.disposeData(ends.dataId);
          return output as Tensor;
        }
        const filters = transposeB ? b : turned(b);
        const [left, right, to] = addressesOf(backend, [pixels, filters, output]);
        loops.innerProducts(left, rows, right, columns, to, inner);
        if (!bias) return output as Tensor;
        const sum = plusChannels(backend, output, bias);
        backend.disposeData(output.dataId);
        return sum as Tensor;
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
