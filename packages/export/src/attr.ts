/** Attributes, short enough to be read in a row. */
import type { Attr } from "./graph.ts";

/** An integer. */
export const int = (value: number): Attr => ({ kind: "int", value });
/** A list of integers. */
export const ints = (value: readonly number[]): Attr => ({ kind: "ints", value });
/** A float. */
export const float = (value: number): Attr => ({ kind: "float", value });
/** A string. */
export const text = (value: string): Attr => ({ kind: "string", value });
/** A list of strings. */
export const texts = (value: readonly string[]): Attr => ({ kind: "strings", value });
