import type { Loops } from "../simd/loops.ts";

/** Work of a kernel in parts that any thread may do. */
export interface Task<Field extends string> {
  /** What it is told: numbers alone, which threads hand on in this order. */
  readonly fields: readonly Field[];
  /**
   * Begins the work for one thread; each that takes part does so. What it returns does a part, which writes what is its own, reads
   * nothing that another part writes, and sets whatever it adds to: so it may be done twice. Addresses and strides are in bytes, sizes
   * in elements.
   */
  begin(loops: Loops, thread: number, told: Told<Field>): (part: number) => void;
}

/** Numbers by their names. */
export type Told<Field extends string> = { readonly [Name in Field]: number };

/** A task; the names of what it is told follow from the list. */
export function task<const Field extends string>(fields: readonly Field[], begin: Task<Field>["begin"]): Task<Field> {
  return { fields, begin };
}

/** Of a size that is divided into parts of `each`, what one of them has. */
export function extentOf(part: number, size: number, each: number): readonly [from: number, count: number] {
  return [part * each, Math.min(each, size - part * each)];
}
