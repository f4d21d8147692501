/** What the rules of inference are made of, and the arithmetic of sizes that they share. */
import { DistillateError } from "@distillate/bundle";
import type { Dim, Node, Value } from "../graph.ts";

/** What inference finds out about a value. */
export type Typed = Pick<Value, "dtype" | "shape">;

/** The whole numbers in input `i`, where they are known before the model runs: constants, and sums over shapes. */
export type Contents = (i: number) => readonly Dim[] | undefined;

/** Types and shapes of a node's outputs. Inputs that are left out are undefined; that required ones are there is checked before. */
export type Rule = (node: Node, inputs: readonly (Typed | undefined)[], contents: Contents) => Typed | readonly Typed[];

/** A literal table of rules. */
export type Rules = { readonly [op: string]: Rule };

/** One rule for all of these ops. */
export function rulesFor(ops: string, rule: Rule): Rules {
  return Object.fromEntries(ops.split(" ").map((op) => [op, rule]));
}

/** A new symbol for a size that only a run can tell. */
export function unknownSize(node: Node, axis: number): string {
  return `${node.name}_${axis}`;
}

/** Sizes of both broadcast together. A symbol against a number is taken to be that number, or one. */
export function broadcast(node: Node, a: readonly Dim[], b: readonly Dim[]): readonly Dim[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [x, y] = [a[a.length - rank + i] ?? 1, b[b.length - rank + i] ?? 1];
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    if (typeof x === "string") return y;
    if (typeof y === "string") return x;
    throw mismatch(node, `[${a}] and [${b}]`, "shapes that broadcast");
  });
}

/** The product of sizes, symbols joined by `*`. */
export function product(sizes: readonly Dim[]): Dim {
  const symbols = sizes.filter((size) => typeof size === "string");
  const number = sizes.reduce<number>((total, size) => (typeof size === "number" ? total * size : total), 1);
  if (symbols.length === 0 || number === 0) return number;
  return number === 1 ? symbols.join("*") : [...symbols, number].join("*");
}

/** `total / part` as far as symbols cancel; undefined where they do not. */
export function quotient(total: readonly Dim[], part: readonly Dim[]): Dim | undefined {
  const terms = (sizes: readonly Dim[]): { number: number; symbols: string[] } => {
    const all = sizes.flatMap((size): Dim[] => (typeof size === "string" ? size.split("*") : [size]));
    const isNumber = (term: Dim): boolean => typeof term === "number" || /^\d+$/.test(term);
    return {
      number: all.filter(isNumber).reduce<number>((result, term) => result * Number(term), 1),
      symbols: all.filter((term) => !isNumber(term)) as string[],
    };
  };
  const [above, below] = [terms(total), terms(part)];
  for (const symbol of below.symbols) {
    const at = above.symbols.indexOf(symbol);
    if (at < 0) return undefined;
    above.symbols.splice(at, 1);
  }
  const number = above.number / below.number;
  return Number.isInteger(number) ? product([...above.symbols, number]) : undefined;
}

/** An axis counted from the front. */
export function axisOf(node: Node, axis: number, rank: number): number {
  const found = axis < 0 ? axis + rank : axis;
  if (found >= 0 && found <= rank) return found;
  throw mismatch(node, `axis ${axis}`, `one of ${rank}`);
}

/** An integer attribute. */
export function int(node: Node, name: string, otherwise: number): number {
  const attr = node.attrs[name];
  return attr?.kind === "int" ? attr.value : otherwise;
}

/** A list of integers as attribute. */
export function ints(node: Node, name: string): readonly number[] | undefined {
  const attr = node.attrs[name];
  return attr?.kind === "ints" ? attr.value : undefined;
}

/** A string attribute. */
export function text(node: Node, name: string, otherwise: string): string {
  const attr = node.attrs[name];
  return attr?.kind === "string" ? attr.value : otherwise;
}

/** Known contents that are all numbers. */
export function numbers(contents: readonly Dim[] | undefined): readonly number[] | undefined {
  return contents?.every((size) => typeof size === "number") ? (contents as readonly number[]) : undefined;
}

/** The error for shapes that do not fit. */
export function mismatch(node: Node, found: string, expected: string): DistillateError {
  return new DistillateError({
    code: "shape-mismatch",
    message: `${node.op} ${node.name} has ${found}, expected ${expected}`,
    hint: "Correct the model where it was made, and export it again.",
  });
}
