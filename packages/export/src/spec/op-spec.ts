import type { Attr } from "../graph.ts";

/** How many inputs or outputs a node may have. */
export type Arity = readonly [least: number, most: number];

/** The signature of an op. */
export interface Signature {
  readonly inputs: Arity;
  readonly outputs: Arity;
  readonly attrs: { readonly [name: string]: Attr["kind"] };
}

/** One row of the table: the signature as of `since`, and what later opsets changed in it. */
export interface OpSpec extends Signature {
  /** The first opset with this signature; below the lowest opset that is written (13) only its origin. */
  readonly since: number;
  /** By first opset, ascending; what is not named stays. */
  readonly changes?: readonly (Partial<Signature> & { readonly since: number })[];
}

/** Some rows of the table. */
export type Rows = { readonly [op: string]: OpSpec };

/** As many inputs or outputs as one likes. */
export const MANY = 10_000;

/** A row with one output. */
export function row(since: number, inputs: number | Arity, attrs: OpSpec["attrs"] = {}): OpSpec {
  return { since, inputs: typeof inputs === "number" ? [inputs, inputs] : inputs, outputs: [1, 1], attrs };
}

/** One row for each of these ops, all of one signature. */
export function rows(ops: string, spec: OpSpec): Rows {
  return Object.fromEntries(ops.split(" ").map((op) => [op, spec]));
}
