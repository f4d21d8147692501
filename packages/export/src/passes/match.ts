/** What the rules of passes ask of a node's inputs. */
import type { Edge, Node } from "../graph.ts";
import { floatsOf } from "../tensor.ts";
import type { Surroundings } from "./rewrite.ts";

/** The number behind an edge: a float constant of one element. */
export function numberAt(edge: Edge | undefined, around: Surroundings): number | undefined {
  const tensor = around.constant(edge);
  return tensor?.dtype === "float32" && tensor.bytes.byteLength === 4 ? floatsOf(tensor)[0] : undefined;
}

/** Whether two numbers are the same but for float32's rounding of either. */
export function isNear(a: number | undefined, b: number): boolean {
  return a !== undefined && Math.abs(a - b) <= 1e-6 * Math.max(1, Math.abs(b));
}

/** The node that writes an edge, when it is of this op. */
export function writerOf(op: string, edge: Edge | undefined, around: Surroundings): Node | undefined {
  const node = around.writer(edge);
  return node?.op === op && node.domain === "" ? node : undefined;
}

/** A node of two inputs where one is a number: the other input, and the number. */
export function withNumber(
  node: Node | undefined,
  around: Surroundings,
): { readonly edge: Edge; readonly number: number } | undefined {
  if (node?.inputs.length !== 2) return undefined;
  const [a, b] = node.inputs as [Edge, Edge];
  const [x, y] = [numberAt(a, around), numberAt(b, around)];
  if (y !== undefined && x === undefined) return { edge: a, number: y };
  return x !== undefined && y === undefined ? { edge: b, number: x } : undefined;
}

/** A product taken apart, as far as its parts are read nowhere else: the number in it, and its other factors. */
export interface Product {
  readonly number: number;
  readonly factors: readonly Edge[];
}

/** Takes the product that an edge holds apart, through Mul, and Div by a number. */
export function productAt(edge: Edge, around: Surroundings, isInner = false): Product {
  const number = numberAt(edge, around);
  if (number !== undefined) return { number, factors: [] };
  const node = around.writer(edge);
  if (node === undefined || node.domain !== "" || (isInner && around.readers(edge) > 1))
    return { number: 1, factors: [edge] };
  if (node.op === "Mul") {
    const [a, b] = node.inputs.map((input) => productAt(input, around, true)) as [Product, Product];
    return { number: a.number * b.number, factors: [...a.factors, ...b.factors] };
  }
  const divisor = node.op === "Div" ? numberAt(node.inputs[1], around) : undefined;
  if (divisor === undefined || divisor === 0) return { number: 1, factors: [edge] };
  const above = productAt(node.inputs[0]!, around, true);
  return { number: above.number / divisor, factors: above.factors };
}
