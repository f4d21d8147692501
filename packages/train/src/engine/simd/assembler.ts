/**
 * A small assembler for WebAssembly with 128-bit SIMD: enough for numeric loops over somebody else's memory.
 *
 * Code is a list of bytes; an expression leaves one value on the stack, a statement none. Encoding: WebAssembly core
 * specification 2.0, chapter 5 (binary format).
 */

/** Bytes of one expression or statement. */
export type Code = readonly number[];
/** What a local variable holds. */
export type LocalType = "i32" | "f32" | "v128";

/** A local variable of a function under construction. */
export interface Local {
  readonly get: Code;
  set(value: Code): Code;
}

/** A function: its parameters are all i32, it returns nothing. */
export interface FunctionSource {
  readonly name: string;
  readonly parameters: number;
  readonly locals: readonly LocalType[];
  readonly body: Code;
}

const TYPES: Readonly<Record<LocalType, number>> = { i32: 0x7f, f32: 0x7d, v128: 0x7b };
const VOID = 0x40;

function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: number): Code {
  const last = value >= -0x40 && value < 0x40;
  return last ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)];
}

const binary =
  (...opcode: readonly number[]) =>
  (a: Code, b: Code): Code => [...a, ...b, ...opcode];

/** Integer arithmetic on addresses and counters. */
export const i32 = {
  const: (value: number): Code => [0x41, ...signed(value)],
  add: binary(0x6a),
  shiftLeft: binary(0x74),
  sub: binary(0x6b),
  greaterEqual: binary(0x4e),
  /** The byte at an address, 0 to 255. */
  loadByte: (address: Code): Code => [...address, 0x2d, 0, 0],
  /** `a` where the condition is not zero, otherwise `b`. */
  select: (a: Code, b: Code, condition: Code): Code => [...a, ...b, ...condition, 0x1b],
} as const;

/** What the loops compute with: four floats at once, or one for the rest of a row. Addresses are in bytes. */
export interface Lanes {
  readonly type: "v128" | "f32";
  readonly bytes: number;
  load(address: Code, offset: number): Code;
  store(address: Code, value: Code, offset: number): Code;
  /** One float of memory in every lane. */
  broadcast(address: Code, offset: number): Code;
  add(a: Code, b: Code): Code;
  sub(a: Code, b: Code): Code;
  mul(a: Code, b: Code): Code;
  /** a b + sum. */
  multiplyAdd(a: Code, b: Code, sum: Code): Code;
  div(a: Code, b: Code): Code;
  sqrt(a: Code): Code;
  /** `b` where it is larger, otherwise `a`: so `a` where either is not a number. */
  atLeast(a: Code, b: Code): Code;
  /** `value` where `other` is positive, otherwise zero. */
  wherePositive(value: Code, other: Code): Code;
  /** A variable, and zero where it is too small for all of its digits (denormal). */
  flushed(variable: Local): Code;
  /** The float whose bits an i32 has, in every lane. */
  ofBits(bits: Code): Code;
}

/** Zero as one float. */
const ZERO: Code = [0x43, 0, 0, 0, 0];
/** The bytes of the smallest float with all of its digits, 2^-126. */
const SMALLEST: Code = [0x00, 0x00, 0x80, 0x00];
const [mulOne, addOne] = [binary(0x94), binary(0x92)];

/** One float. */
export const ONE: Lanes = {
  type: "f32",
  bytes: 4,
  load: (address, offset) => [...address, 0x2a, 2, ...unsigned(offset)],
  store: (address, value, offset) => [...address, ...value, 0x38, 2, ...unsigned(offset)],
  broadcast: (address, offset) => [...address, 0x2a, 2, ...unsigned(offset)],
  add: addOne,
  sub: binary(0x93),
  mul: mulOne,
  multiplyAdd: (a, b, sum) => addOne(sum, mulOne(a, b)),
  div: binary(0x95),
  sqrt: (a) => [...a, 0x91],
  atLeast: (a, b) => [...b, ...a, ...a, ...b, 0x5d, 0x1b],
  wherePositive: (value, other) => [...value, ...ZERO, ...other, ...ZERO, 0x5e, 0x1b],
  flushed: ({ get }) => [...ZERO, ...get, ...get, 0x8b, 0x43, ...SMALLEST, 0x5d, 0x1b],
  ofBits: (bits) => [...bits, 0xbe],
};

const SMALLEST_FOUR: Code = [0xfd, 0x0c, ...SMALLEST, ...SMALLEST, ...SMALLEST, ...SMALLEST];
const [mulFour, addFour] = [binary(0xfd, ...unsigned(0xe6)), binary(0xfd, ...unsigned(0xe4))];

/** Four floats. Loads and stores need no alignment. */
export const FOUR: Lanes = {
  type: "v128",
  bytes: 16,
  load: (address, offset) => [...address, 0xfd, 0x00, 2, ...unsigned(offset)],
  store: (address, value, offset) => [...address, ...value, 0xfd, 0x0b, 2, ...unsigned(offset)],
  broadcast: (address, offset) => [...address, 0xfd, 0x09, 2, ...unsigned(offset)],
  add: addFour,
  sub: binary(0xfd, ...unsigned(0xe5)),
  mul: mulFour,
  multiplyAdd: (a, b, sum) => addFour(sum, mulFour(a, b)),
  div: binary(0xfd, ...unsigned(0xe7)),
  sqrt: (a) => [...a, 0xfd, ...unsigned(0xe3)],
  atLeast: binary(0xfd, ...unsigned(0xeb)),
  wherePositive: (value, other) => mask.and(value, mask.greater(other, mask.none)),
  flushed: ({ get }) => mask.without(get, mask.less([...get, 0xfd, ...unsigned(0xe0)], SMALLEST_FOUR)),
  ofBits: (bits) => [...bits, 0xfd, 0x11],
};

/** Four floats, products added without being rounded first where the machine can (relaxed SIMD, WebAssembly 3.0). */
export const FOUR_FUSED: Lanes = {
  ...FOUR,
  multiplyAdd: (a, b, sum) => [...a, ...b, ...sum, 0xfd, ...unsigned(0x105)],
};

/** The sum of a vector's four floats, in pairs. */
export function sumOfLanes(vector: Local): Code {
  const lane = (index: number): Code => [...vector.get, 0xfd, 0x1f, index];
  return ONE.add(ONE.add(lane(0), lane(1)), ONE.add(lane(2), lane(3)));
}

/** Two floats as doubles. */
export const TWO_DOUBLES = {
  zero: [0xfd, 0x0c, ...new Array<number>(16).fill(0)] as Code,
  /** The two floats at an address, or one and a zero. */
  ofFloats: (address: Code): Code => [...address, 0xfd, 0x5d, 2, 0, 0xfd, 0x5f],
  ofFloat: (address: Code): Code => [...address, 0xfd, 0x5c, 2, 0, 0xfd, 0x5f],
  add: binary(0xfd, ...unsigned(0xf0)),
  store: (address: Code, value: Code): Code => [...address, ...value, 0xfd, 0x0b, 2, 0],
  /** The first of them alone. */
  storeOne: (address: Code, value: Code): Code => [...address, ...value, 0xfd, 0x5b, 2, 0, 0],
} as const;

/** Comparisons and masks of four lanes; a mask has all bits of a lane set, or none. */
export const mask = {
  none: [0xfd, 0x0c, ...new Array<number>(16).fill(0)] as Code,
  equal: binary(0xfd, 0x41),
  less: binary(0xfd, 0x43),
  greater: binary(0xfd, 0x44),
  greaterEqual: binary(0xfd, 0x46),
  and: binary(0xfd, 0x4e),
  /** Bits of `a` that `b` has not. */
  without: binary(0xfd, 0x4f),
  or: binary(0xfd, 0x50),
} as const;

/** Floats as their bits, for parameters that are i32. */
export const BITS = {
  minusInfinity: 0xff800000 | 0,
  zero: 0,
  /** The smallest positive one. */
  tiniest: 1,
} as const;

/** Copies bytes within the memory. */
export function copyBytes(to: Code, from: Code, bytes: Code): Code {
  return [...to, ...from, ...bytes, 0xfc, 0x0a, 0, 0];
}

/** Makes bytes of the memory zero. */
export function clearBytes(to: Code, bytes: Code): Code {
  return [...to, ...i32.const(0), ...bytes, 0xfc, 0x0b, 0];
}

/** Repeats `body` while `condition` (i32) is not zero. */
export function loopWhile(condition: Code, body: Code): Code {
  return [0x02, VOID, 0x03, VOID, ...condition, 0x45, 0x0d, 1, ...body, 0x0c, 0, 0x0b, 0x0b];
}

/** Adds to an i32 variable. */
export function bump(variable: Local, by: Code): Code {
  return variable.set(i32.add(variable.get, by));
}

/** The address so many strides behind another. */
export function strided(address: Code, stride: Code, count: number): Code {
  return Array.from({ length: count }).reduce<Code>((sum) => i32.add(sum, stride), address);
}

/** Writes a function: `build` gets its parameters and a maker of further locals, and returns the statements in order. */
export function defineFunction(
  name: string,
  parameters: number,
  build: (parameters: readonly Local[], local: (type: LocalType) => Local) => readonly Code[],
): FunctionSource {
  const locals: LocalType[] = [];
  const at = (index: number): Local => ({
    get: [0x20, ...unsigned(index)],
    set: (value) => [...value, 0x21, ...unsigned(index)],
  });
  const given = Array.from({ length: parameters }, (_parameter, index) => at(index));
  const body = build(given, (type) => at(parameters + locals.push(type) - 1)).flat();
  return { name, parameters, locals, body };
}

/** Pages of 64 KiB that a module may ask for at most. */
export const MOST_PAGES = 65_536;

/**
 * Joins functions to a module that imports its memory as `env.memory` and exports each function under its name.
 *
 * @param shared - The memory is one that several threads see: it has a largest size, and its kind is part of the module.
 */
export function assemble(functions: readonly FunctionSource[], shared = false): Uint8Array<ArrayBuffer> {
  const text = (value: string): Code => [...unsigned(value.length), ...new TextEncoder().encode(value)];
  const list = (items: readonly Code[]): Code => [...unsigned(items.length), ...items.flat()];
  const section = (id: number, content: Code): Code => [id, ...unsigned(content.length), ...content];
  const signature = ({ parameters }: FunctionSource): Code => [
    0x60,
    ...list(Array.from({ length: parameters }, () => [TYPES.i32])),
    0,
  ];
  const code = ({ locals, body }: FunctionSource): Code => {
    const content = [...list(locals.map((type) => [1, TYPES[type]])), ...body, 0x0b];
    return [...unsigned(content.length), ...content];
  };
  const limits = shared ? [0x03, 1, ...unsigned(MOST_PAGES)] : [0x00, 1];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, list(functions.map(signature))),
    ...section(2, list([[...text("env"), ...text("memory"), 0x02, ...limits]])),
    ...section(3, list(functions.map((_source, index) => unsigned(index)))),
    ...section(7, list(functions.map(({ name }, index) => [...text(name), 0x00, ...unsigned(index)]))),
    ...section(10, list(functions.map(code))),
  ]);
}
