/**
 * The SIMD loops of this folder as one module over the tfjs wasm backend's own memory: callers pass addresses of tensors,
 * nothing is copied.
 */
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { ADAM_UPDATE } from "./adam-update.ts";
import { assemble } from "./assembler.ts";
import { affineColumns, CENTRED_DOTS } from "./channel-maps.ts";
import { columnSums } from "./column-sums.ts";
import { INNER_PRODUCTS } from "./inner-products.ts";
import { OUTER_SUMS } from "./outer-sums.ts";
import { RECTIFY } from "./rectify.ts";
import { WINDOW_MAXIMA } from "./window-maxima.ts";

/** The loops; addresses and strides in bytes, sizes in elements. */
export interface Loops {
  /** out[c] += sum a[r, c]. */
  sumColumns(a: number, aRow: number, out: number, rows: number, columns: number): void;
  /** out[c] += sum a[r, c] b[r, c]. */
  dotColumns(a: number, aRow: number, b: number, bRow: number, out: number, rows: number, columns: number): void;
  /** out[p, q] += sum over t of a[t, p] b[t, q]; `out` is dense. */
  outerSums(
    a: number,
    aRow: number,
    aColumns: number,
    b: number,
    bRow: number,
    bColumns: number,
    out: number,
    rows: number,
  ): void;
  /** out[p, q] = sum over k of a[p, k] b[q, k]; all are dense. */
  innerProducts(a: number, aRows: number, b: number, bRows: number, out: number, columns: number): void;
  /** Adds dy to the place in `out` of the first largest of a window of `x`, for a multiple of four channels. */
  windowMaxima(
    x: number,
    out: number,
    dy: number,
    row: number,
    pixel: number,
    height: number,
    width: number,
    channels: number,
  ): void;
  /** out[r, c] = x[r, c] a[c] + b[c]; `coefficients` holds a and b. Rows are dense, as in the two below. */
  affineOne(x: number, coefficients: number, out: number, rows: number, columns: number): void;
  /** out[r, c] = x[r, c] a[c] + y[r, c] b[c] + d[c]; `coefficients` holds a, b and d. */
  affineTwo(x: number, y: number, coefficients: number, out: number, rows: number, columns: number): void;
  /** out[c] += sum (x[r, c] - centre[c]) y[r, c]. */
  centredDots(x: number, y: number, centre: number, out: number, rows: number, columns: number): void;
  /** out[i] = y[i] > 0 ? dy[i] : 0, for a multiple of four. */
  rectify(dy: number, y: number, out: number, size: number): void;
  /** One weight's next values and slots; `numbers` is six floats: see adam-update.ts. */
  adamUpdate(
    w: number,
    g: number,
    m: number,
    v: number,
    outW: number,
    outM: number,
    outV: number,
    numbers: number,
    size: number,
  ): void;
}

/** `WebAssembly.Memory`, which Node's types do not describe. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (
    module: object,
    imports: { readonly env: { readonly memory: WasmMemory } },
  ) => { readonly exports: unknown };
};

/** Compiles the loops over a memory. */
export function instantiateLoops(memory: WasmMemory): Loops {
  const module = new WebAssembly.Module(
    assemble([
      columnSums("sumColumns", 1),
      columnSums("dotColumns", 2),
      affineColumns("affineOne", 1),
      affineColumns("affineTwo", 2),
      CENTRED_DOTS,
      OUTER_SUMS,
      INNER_PRODUCTS,
      WINDOW_MAXIMA,
      RECTIFY,
      ADAM_UPDATE,
    ]),
  );
  return new WebAssembly.Instance(module, { env: { memory } }).exports as Loops;
}

const compiled = new WeakMap<BackendWasm, Loops>();

/** The loops over a backend's memory. */
export function loopsOf(backend: BackendWasm): Loops {
  const known = compiled.get(backend);
  if (known) return known;
  const { memory } = (backend.wasm as unknown as { readonly asm: { readonly memory: WasmMemory } }).asm;
  const loops = instantiateLoops(memory);
  compiled.set(backend, loops);
  return loops;
}
