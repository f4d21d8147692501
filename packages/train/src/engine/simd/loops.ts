/**
 * The SIMD loops of this folder as one module over the tfjs wasm backend's own memory: callers pass addresses of tensors,
 * nothing is copied.
 */
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { ADAM_UPDATE } from "./adam-update.ts";
import { ADD } from "./add.ts";
import { FOUR, FOUR_FUSED } from "./assembler.ts";
import { affineColumns, CENTRED_DOTS } from "./channel-maps.ts";
import { columnSums } from "./column-sums.ts";
import { convolution } from "./convolution.ts";
import { CLEAR, COPY_ROWS } from "./copy-rows.ts";
import { DOUBLE_SUMS } from "./double-sums.ts";
import { fusesMultiplyAdd } from "./fused-multiply-add.ts";
import { innerProducts } from "./inner-products.ts";
import { instantiate, type SharedWasmMemory, type WasmMemory } from "./instantiate.ts";
import { LOOK_UP } from "./look-up.ts";
import { MOMENTUM_UPDATE } from "./momentum-update.ts";
import { outerSums } from "./outer-sums.ts";
import { FLOOR, RECTIFY } from "./rectify.ts";
import { TRANSPOSE } from "./transpose.ts";
import { windowLargest } from "./window-largest.ts";
import { windowMaxima } from "./window-maxima.ts";

/** The loops; addresses and strides in bytes, sizes in elements, floors and least values as the bits of a float: see {@link BITS}. */
export interface Loops {
  /** out[c] += sum a[l, r, c]. */
  sumColumns(a: number, aRow: number, aLine: number, out: number, rows: number, lines: number, columns: number): void;
  /** out[c] += sum a[l, r, c] b[l, r, c]. */
  dotColumns(
    a: number,
    aRow: number,
    aLine: number,
    b: number,
    bRow: number,
    bLine: number,
    out: number,
    rows: number,
    lines: number,
    columns: number,
  ): void;
  /** out[c] = sum of x[r, c], in double precision; rows are dense. */
  doubleSums(x: number, out: number, rows: number, columns: number): void;
  /** out[c, r] = x[r, c]; both are dense. */
  transpose(x: number, out: number, rows: number, columns: number): void;
  /** Makes bytes zero. */
  clear(to: number, bytes: number): void;
  /** out[i] = a[i] + b[i]; `out` may be `a` or `b`. */
  add(a: number, b: number, out: number, size: number): void;
  /** Copies `rows` rows of `bytes`. */
  copyRows(from: number, fromRow: number, to: number, toRow: number, bytes: number, rows: number): void;
  /** A convolution of one image; see convolution.ts. */
  convolve(
    x: number,
    pixel: number,
    tapRow: number,
    nextRow: number,
    filter: number,
    taps: number,
    tapRows: number,
    ends: number,
    out: number,
    width: number,
    height: number,
    filters: number,
  ): void;
  /** A depthwise convolution of one image, with as many filters as channels. */
  convolveChannels(...parameters: [...Parameters<Loops["convolve"]>, tap: number]): void;
  /** out[p, q] += sum over t of a[t, p] b[t, q]; `out` is dense, the t are `rows` of each of the `lines` of a. */
  outerSums(
    a: number,
    aRow: number,
    aLine: number,
    aColumns: number,
    b: number,
    bRow: number,
    bColumns: number,
    out: number,
    rows: number,
    lines: number,
  ): void;
  /** out[p, q] = sum over k of a[p, k] b[q, k]; all are dense. */
  innerProducts(a: number, aRows: number, b: number, bRows: number, out: number, columns: number): void;
  /** The largest of each of a row of windows of two by two of `x`, `step` apart, for a multiple of four channels; results are dense. */
  squareLargest(
    x: number,
    out: number,
    row: number,
    pixel: number,
    step: number,
    windows: number,
    channels: number,
  ): void;
  /** The same for windows of any size. */
  windowLargest(...parameters: [...Parameters<Loops["squareLargest"]>, height: number, width: number]): void;
  /**
   * For each of a row of windows of two by two of `x`, `step` apart, which lie apart, writes the next of dy to the place in `out` of its first
   * largest, if that is at least `least`, and zeros to the others, for a multiple of four channels.
   */
  squareMaxima(
    x: number,
    out: number,
    dy: number,
    row: number,
    pixel: number,
    step: number,
    windows: number,
    channels: number,
    least: number,
  ): void;
  /** The same for windows of any size, which may overlap: it is added to what is there. */
  windowMaxima(...parameters: [...Parameters<Loops["squareMaxima"]>, height: number, width: number]): void;
  /** out[r, c] = max(floor, x[r, c] a[c] + b[c]); `coefficients` holds a and b. Rows are dense, as in the two below. */
  affineOne(x: number, coefficients: number, floor: number, out: number, rows: number, columns: number): void;
  /** out[r, c] = max(floor, x[r, c] a[c] + y[r, c] b[c] + d[c]); `coefficients` holds a, b and d. */
  affineTwo(
    x: number,
    y: number,
    coefficients: number,
    floor: number,
    out: number,
    rows: number,
    columns: number,
  ): void;
  /** out[c] += sum (x[r, c] - centre[c]) y[r, c]. */
  centredDots(x: number, y: number, centre: number, out: number, rows: number, columns: number): void;
  /** out[i] = y[i] > 0 ? dy[i] : 0; `out` may be `dy`. */
  rectify(dy: number, y: number, out: number, size: number): void;
  /** out[i] = max(x[i], least), and x[i] where that is no number. */
  floor(x: number, least: number, out: number, size: number): void;
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
  /** The same by momentum; `numbers` is two floats: see momentum-update.ts. */
  momentumUpdate(w: number, g: number, u: number, outW: number, outU: number, numbers: number, size: number): void;
  /** out[i step] = table[bytes[i step]], for `count` bytes; `step` counts elements. */
  lookUp(bytes: number, table: number, out: number, step: number, count: number): void;
}

/** Compiles the loops over a memory; `fused` as {@link fusesMultiplyAdd} says. */
export function instantiateLoops(memory: WasmMemory | SharedWasmMemory, fused: boolean): Loops {
  const four = fused ? FOUR_FUSED : FOUR;
  return instantiate<Loops>(
    [
      columnSums("sumColumns", 1),
      columnSums("dotColumns", 2),
      affineColumns("affineOne", 1),
      affineColumns("affineTwo", 2),
      CENTRED_DOTS,
      COPY_ROWS,
      DOUBLE_SUMS,
      TRANSPOSE,
      CLEAR,
      ADD,
      convolution("convolve", four),
      convolution("convolveChannels", four),
      outerSums(four),
      innerProducts(four),
      windowLargest("windowLargest"),
      windowLargest("squareLargest", [2, 2]),
      windowMaxima("windowMaxima"),
      windowMaxima("squareMaxima", [2, 2]),
      RECTIFY,
      FLOOR,
      ADAM_UPDATE,
      MOMENTUM_UPDATE,
      LOOK_UP,
    ],
    memory,
  );
}

const compiled = new WeakMap<BackendWasm, Loops>();

/** A backend's memory, which helpers see where it is shared. */
export function memoryOf(backend: BackendWasm): WasmMemory | SharedWasmMemory {
  return (backend.wasm as unknown as { readonly asm: { readonly memory: WasmMemory | SharedWasmMemory } }).asm.memory;
}

/** The loops over a backend's memory. */
export function loopsOf(backend: BackendWasm): Loops {
  const known = compiled.get(backend);
  if (known) return known;
  const loops = instantiateLoops(memoryOf(backend), fusesMultiplyAdd());
  compiled.set(backend, loops);
  return loops;
}
