/** The part of `WebAssembly` that the loops need, which Node's types do not describe. */
import { assemble, type FunctionSource, MOST_PAGES } from "./assembler.ts";

/** `WebAssembly.Memory`. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

/** The same, that several threads see. */
export interface SharedWasmMemory {
  readonly buffer: SharedArrayBuffer;
}

declare const WebAssembly: {
  readonly Memory: {
    new (limits: { readonly initial: number }): WasmMemory;
    new (limits: { readonly initial: number; readonly maximum: number; readonly shared: true }): SharedWasmMemory;
  };
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (
    module: object,
    imports: { readonly env: { readonly memory: WasmMemory | SharedWasmMemory } },
  ) => { readonly exports: unknown };
  validate(bytes: Uint8Array<ArrayBuffer>): boolean;
};

/** A memory of so many pages of 64 KiB. */
export function makeMemory(pages: number): WasmMemory {
  return new WebAssembly.Memory({ initial: pages });
}

/** Whether there may be a memory, as large as any can become, that other threads see: it needs that many addresses. */
export function canShareMemory(): boolean {
  try {
    return new WebAssembly.Memory({ initial: 1, maximum: MOST_PAGES, shared: true }).buffer.byteLength > 0;
  } catch {
    return false;
  }
}

/** Whether this machine knows every instruction of some functions. */
export function isKnown(functions: readonly FunctionSource[]): boolean {
  return isKnownModule(assemble(functions));
}

/** Whether this machine knows every instruction of a module. */
export function isKnownModule(module: Uint8Array<ArrayBuffer>): boolean {
  return WebAssembly.validate(module);
}

/** Compiles functions over a memory; they are found by their names. */
export function instantiate<Exports>(
  functions: readonly FunctionSource[],
  memory: WasmMemory | SharedWasmMemory,
): Exports {
  const shared = memory.buffer instanceof SharedArrayBuffer;
  const module = new WebAssembly.Module(assemble(functions, shared));
  return new WebAssembly.Instance(module, { env: { memory } }).exports as Exports;
}
