/** A node of a GraphModel and the ways in which its JSON writes an attribute. */
import { DistillateError } from "@distillate/bundle";
import type { Dim, DType } from "../../graph.ts";
import type { Traced, Tracer } from "./trace.ts";

/** A node as the converter writes it. */
export interface OpNode {
  readonly op: string;
  readonly name: string;
  readonly attr: { readonly [name: string]: RawAttr | undefined };
}

interface RawAttr {
  readonly i?: string | number;
  readonly f?: number;
  readonly b?: boolean;
  readonly s?: string | readonly number[];
  readonly type?: string | number;
  readonly list?: { readonly i?: readonly (string | number)[]; readonly s?: readonly (string | readonly number[])[] };
}

/** How one op becomes nodes. */
export type OpLowering = (node: OpNode, inputs: readonly Traced[], build: Tracer) => Traced | readonly Traced[];

/** Ops that cannot be exported, and why. */
export interface Refusal {
  readonly refused: string;
  readonly hint: string;
}

/** A literal table of ops. */
export type OpTable = { readonly [op: string]: OpLowering | Refusal };

/** A number. */
export function numberAttr({ attr }: OpNode, name: string, otherwise: number): number {
  return Number(attr[name]?.i ?? attr[name]?.f ?? otherwise);
}

/** A whole number. */
export function wholeAttr({ attr }: OpNode, name: string, otherwise: number): number {
  return whole(attr[name]?.i ?? otherwise);
}

/** A list of whole numbers. */
export function listAttr({ attr }: OpNode, name: string): readonly number[] {
  return (attr[name]?.list?.i ?? []).map(whole);
}

function whole(value: string | number): number {
  if (Number.isSafeInteger(Number(value))) return Number(value);
  throw new TypeError(`${JSON.stringify(value)} is no whole number`);
}

/** A truth value, false where it isn't there. */
export function flagAttr({ attr }: OpNode, name: string): boolean {
  return attr[name]?.b === true;
}

/** A string, in lower case as tfjs reads it. */
export function textAttr({ attr }: OpNode, name: string, otherwise: string): string {
  const raw = attr[name]?.s;
  return raw === undefined ? otherwise : decode(raw);
}

/** A list of strings, in lower case. */
export function textsAttr({ attr }: OpNode, name: string): readonly string[] {
  return (attr[name]?.list?.s ?? []).map(decode);
}

/** A type, by its name or its number in TensorFlow's types.proto. */
export function typeAttr({ attr }: OpNode, name: string): DType | undefined {
  const type = attr[name]?.type;
  return type === undefined ? undefined : TYPES[String(type)];
}

/** What tfjs keeps each of TensorFlow's types as. */
const TYPES: { readonly [type: string]: DType } = {
  1: "float32",
  2: "float32",
  3: "int32",
  4: "int32",
  6: "int32",
  9: "int32",
  10: "bool",
  19: "float32",
  DT_FLOAT: "float32",
  DT_DOUBLE: "float32",
  DT_INT32: "int32",
  DT_UINT8: "int32",
  DT_INT8: "int32",
  DT_INT64: "int32",
  DT_BOOL: "bool",
  DT_HALF: "float32",
};

/** Base64, or the list of its codes. */
function decode(raw: string | readonly number[]): string {
  return (typeof raw === "string" ? atob(raw) : String.fromCharCode(...raw)).toLowerCase();
}

/** The numbers in an input, which must be known before the model runs. */
export function numbersIn(node: OpNode, value: Traced | undefined, what: string, build: Tracer): readonly number[] {
  const found = sizesIn(node, value, what, build);
  if (found.every((size) => typeof size === "number")) return found as readonly number[];
  throw dynamic(node, `its ${what} is [${found}]`);
}

/** The numbers in an input, sizes that stay open among them. */
export function sizesIn(node: OpNode, value: Traced | undefined, what: string, build: Tracer): readonly Dim[] {
  const found = value === undefined ? undefined : build.contentsOf(value.edge);
  if (found !== undefined) return found;
  throw dynamic(node, `its ${what} is ${value === undefined ? "missing" : "computed when the model runs"}`);
}

/** The error for what cannot be expressed, thrown before anything is written. */
export function unsupportedOp(
  { op, name }: Pick<OpNode, "op" | "name">,
  reason: string,
  hint: string,
): DistillateError {
  return new DistillateError({
    code: "op-unsupported",
    message: `node ${name} (${op}) cannot be exported: ${reason}`,
    hint,
  });
}

function dynamic(node: OpNode, reason: string): DistillateError {
  return unsupportedOp(node, reason, "Convert the model with fixed input shapes, all but the batch.");
}
