/**
 * Products of two matrices, by loops that read rows as they lie on the heap:
 *
 *   A B^T   inner products of rows
 *   A^T B   sums of outer products of rows
 *   A B     each row of A a pixel and B a filter of one by one
 *
 * Where B is large, or has few columns, the last two are inner products too, of operands that are turned first.
 *
 * The backend packs its right operand anew at every call, and its path for transposed ones is a scalar loop.
 */
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { type Tensor, type TensorInfo, tidy, transpose } from "@tensorflow/tfjs-core";
import { inParts } from "../threads/in-parts.ts";
import { plusChannels } from "./add-channels.ts";
import { channelEnds } from "./channel-ends.ts";
import { convolvePixels, TILE, WORTH_A_PART } from "./convolve-pixels.ts";
import { addressesOf, type KernelCall, stockKernel, type WasmKernel } from "./kernel.ts";

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

/** Bytes of B up to which outer products were measured to be quicker than the other ways, which turn A. */
const MOST_OUTER = 2 ** 17;
/** Bytes of B up to which it was measured to be quicker to read its columns where they lie than to turn it. */
const MOST_IN_PLACE = 2 ** 20;
/** The convolution loop has no fewer filters. */
const FEWEST_FILTERS = 4;
/** Bands into which a product is divided; more would read the other operand too often. */
const MOST_BANDS = 16;

/**
 * Makes the kernel of products, alone or with a bias, keeping the stock one for batches of products, activations and what it alone
 * can say is wrong.
 */
export function matMul(name: "BatchMatMul" | "_FusedMatMul"): WasmKernel {
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

      const bytes = b.size * 4;
      const batch = a.shape.length > b.shape.length ? a.shape.slice(0, -2) : b.shape.slice(0, -2);
      const product = {
        backend,
        output: backend.makeOutput([...batch, rows, columns], "float32"),
        rows,
        inner,
        columns,
      };
      if (transposeA && !transposeB && bytes <= MOST_OUTER) return plus(backend, sumOuter(product, a, b), bias);
      return tidy(() => {
        const left = transposeA ? turned(a) : a;
        const isInPlace = !transposeB && columns >= FEWEST_FILTERS && bytes <= MOST_IN_PLACE;
        const made = isInPlace
          ? convolve(product, left, b, bias)
          : plus(backend, multiplyRows(product, left, transposeB ? b : turned(b)), bias);
        return made as Tensor;
      });
    },
  };
}

/** A product that is to be written. */
interface Product {
  readonly backend: BackendWasm;
  readonly output: TensorInfo;
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
}

function sumOuter({ backend, output, rows, inner, columns }: Product, a: TensorInfo, b: TensorInfo): TensorInfo {
  const [left, right, out] = addressesOf(backend, [a, b, output]);
  const each = bandOf(rows, inner * columns);
  const told = { a: left, aColumns: rows, b: right, bColumns: columns, out, rows: inner, each };
  inParts(backend, "outerSums", told, Math.ceil(rows / each));
  return output;
}

function convolve(
  { backend, output, rows, inner, columns }: Product,
  pixels: TensorInfo,
  filter: TensorInfo,
  bias: TensorInfo | undefined,
): TensorInfo {
  const ends = channelEnds(backend, columns, bias);
  const [left, right, out, at] = addressesOf(backend, [pixels, filter, output, ends]);
  const told = { pixels: left, channels: inner, filter: right, filters: columns, ends: at, out, count: rows };
  convolvePixels(backend, told);
  backend.disposeData(ends.dataId);
  return output;
}

function multiplyRows({ backend, output, rows, inner, columns }: Product, a: TensorInfo, b: TensorInfo): TensorInfo {
  const [left, right, out] = addressesOf(backend, [a, b, output]);
  const each = bandOf(rows, inner * columns);
  const told = { a: left, aRows: rows, b: right, bRows: columns, out, columns: inner, each };
  inParts(backend, "innerProducts", told, Math.ceil(rows / each));
  return output;
}

/** Rows of a product that are one part, whole tiles of the loops; each costs so many multiplications. */
function bandOf(rows: number, multiplications: number): number {
  const bands = Math.max(1, Math.min(MOST_BANDS, Math.ceil((rows * multiplications) / WORTH_A_PART)));
  return TILE * Math.max(1, Math.ceil(rows / TILE / bands));
}

function plus(backend: BackendWasm, product: TensorInfo, bias: TensorInfo | undefined): TensorInfo {
  if (!bias) return product;
  const sum = plusChannels(backend, product, bias);
  backend.disposeData(product.dataId);
  return sum;
}

function isSingle({ shape }: TensorInfo): boolean {
  return shape.slice(0, -2).every((size) => size === 1);
}

function turned(matrix: Tensor): Tensor {
  const axes = matrix.shape.map((_, axis) => axis);
  return transpose(matrix, [...axes.slice(0, -2), axes.at(-1)!, axes.at(-2)!]);
}
