/**
 * A small assembler for WebAssembly with 128-bit SIMD: enough for numeric loops over somebody else's memory.
 *
 * Code is a list of bytes. An expression leaves one value on the stack, a statement none. Encoding: WebAssembly core
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
  /** Adds to an i32. */
  bump(by: Code): Code;
}

/** A function: its parameters are all i32 or f32, it returns nothing. */
export interface FunctionSource {
  readonly name: string;
  readonly parameters: readonly LocalType[];
  readonly locals: readonly LocalType[];
  readonly body: Code;
}

const TYPES: Readonly<Record<LocalType, number>> = { i32: 0x7f, f32: 0x7d, v128: 0x7b };
const VOID = 0x40;

/** Unsigned LEB128. */
function unsigned(value: number): Code {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return bytes;
}

/** Signed LEB128. */
function signed(value: number): Code {
  const bytes: number[] = [];
  let rest = value;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

const binary =
  (opcode: number) =>
  (a: Code, b: Code): Code => [...a, ...b, opcode];

/** Integer arithmetic on addresses and counters. */
export const i32 = {
  const: (value: number): Code => [0x41, ...signed(value)],
  add: binary(0x6a),
  sub: binary(0x6b),
  mul: binary(0x6c),
  shl: binary(0x74),
  lessUnsigned: binary(0x49),
  greaterEqual: binary(0x4e),
} as const;

/** What the loops compute with: four floats at once, or one for the rest of a row. Addresses are in bytes. */
export interface Lanes {
  readonly type: "v128" | "f32";
  readonly bytes: number;
  load(address: Code, offset?: number): Code;
  store(address: Code, value: Code, offset?: number): Code;
  /** One float of memory in every lane. */
  broadcast(address: Code, offset?: number): Code;
  /** One float value in every lane. */
  splat(value: Code): Code;
  add(a: Code, b: Code): Code;
  sub(a: Code, b: Code): Code;
  mul(a: Code, b: Code): Code;
  div(a: Code, b: Code): Code;
  sqrt(a: Code): Code;
  /** `then` in the lanes where a > b, 0 elsewhere. */
  whereGreater(a: Code, b: Code, then: Code): Code;
  /** `then` in the lanes where a < b, 0 elsewhere. */
  whereLess(a: Code, b: Code, then: Code): Code;
}

const simd = (opcode: number): Code => [0xfd, ...unsigned(opcode)];
const memory = (align: number, offset: number): Code => [align, ...unsigned(offset)];

/** One float. */
export const ONE: Lanes = {
  type: "f32",
  bytes: 4,
  load: (address, offset = 0) => [...address, 0x2a, ...memory(2, offset)],
  store: (address, value, offset = 0) => [...address, ...value, 0x38, ...memory(2, offset)],
  broadcast: (address, offset = 0) => [...address, 0x2a, ...memory(2, offset)],
  splat: (value) => value,
  add: binary(0x92),
  sub: binary(0x93),
  mul: binary(0x94),
  div: binary(0x95),
  sqrt: (a) => [...a, 0x91],
  whereGreater: (a, b, then) => [...then, 0x43, 0, 0, 0, 0, ...a, ...b, 0x5e, 0x1b],
  whereLess: (a, b, then) => [...then, 0x43, 0, 0, 0, 0, ...a, ...b, 0x5d, 0x1b],
};

const vector =
  (opcode: number) =>
  (a: Code, b: Code): Code => [...a, ...b, ...simd(opcode)];

/** Four floats. Loads and stores need no alignment. */
export const FOUR: Lanes = {
  type: "v128",
  bytes: 16,
  load: (address, offset = 0) => [...address, ...simd(0x00), ...memory(2, offset)],
  store: (address, value, offset = 0) => [...address, ...value, ...simd(0x0b), ...memory(2, offset)],
  broadcast: (address, offset = 0) => [...address, ...simd(0x09), ...memory(2, offset)],
  splat: (value) => [...value, ...simd(0x13)],
  add: vector(0xe4),
  sub: vector(0xe5),
  mul: vector(0xe6),
  div: vector(0xe7),
  sqrt: (a) => [...a, ...simd(0xe3)],
  whereGreater: (a, b, then) => [...a, ...b, ...simd(0x44), ...then, ...simd(0x4e)],
  whereLess: (a, b, then) => [...a, ...b, ...simd(0x43), ...then, ...simd(0x4e)],
};

/** Float constants. */
export const f32 = {
  const: (value: number): Code => [0x43, ...new Uint8Array(new Float32Array([value]).buffer)],
} as const;

/** Repeats `body` while `condition` (i32) holds. */
export function loopWhile(condition: Code, body: Code): Code {
  return [0x02, VOID, 0x03, VOID, ...condition, 0x45, 0x0d, 1, ...body, 0x0c, 0, 0x0b, 0x0b];
}

/** Writes a function: `build` gets its parameters and a maker of further locals, and returns the statements in order. */
export function defineFunction(
  name: string,
  parameters: readonly LocalType[],
  build: (parameters: readonly Local[], local: (type: LocalType) => Local) => readonly Code[],
): FunctionSource {
  const locals: LocalType[] = [];
  const makeLocal = (index: number): Local => {
    const get: Code = [0x20, ...unsigned(index)];
    const set = (value: Code): Code => [...value, 0x21, ...unsigned(index)];
    return { get, set, bump: (by) => set(i32.add(get, by)) };
  };
  const statements = build(
    parameters.map((_type, index) => makeLocal(index)),
    (type) => makeLocal(parameters.length + locals.push(type) - 1),
  );
  return { name, parameters, locals, body: statements.flat() };
}

/** Joins functions to a module that imports its memory as `env.memory` and exports each function under its name. */
export function assemble(functions: readonly FunctionSource[]): Uint8Array<ArrayBuffer> {
  const text = (value: string): Code => {
    const bytes = [...new TextEncoder().encode(value)];
    return [...unsigned(bytes.length), ...bytes];
  };
  const list = (items: readonly Code[]): Code => [...unsigned(items.length), ...items.flat()];
  const section = (id: number, content: Code): Code => [id, ...unsigned(content.length), ...content];
  const signature = ({ parameters }: FunctionSource): Code => [
    0x60,
    ...list(parameters.map((type) => [TYPES[type]])),
    0,
  ];
  const code = ({ locals, body }: FunctionSource): Code => {
    const content = [...list(locals.map((type) => [1, TYPES[type]])), ...body, 0x0b];
    return [...unsigned(content.length), ...content];
  };
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, list(functions.map(signature))),
    ...section(2, list([[...text("env"), ...text("memory"), 0x02, 0x00, 1]])),
    ...section(3, list(functions.map((_source, index) => unsigned(index)))),
    ...section(7, list(functions.map(({ name }, index) => [...text(name), 0x00, ...unsigned(index)]))),
    ...section(10, list(functions.map(code))),
  ]);
}
