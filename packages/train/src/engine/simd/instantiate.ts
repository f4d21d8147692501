/** The part of `WebAssembly` that the loops need, which Node's types do not describe. */
import { assemble, type FunctionSource } from "./assembler.ts";

/** `WebAssembly.Memory`. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

declare const WebAssembly: {
  readonly Memory: {
    new (limits: { readonly initial: number }): WasmMemory;
  };
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (
    module: object,
    imports: { readonly env: { readonly memory: WasmMemory } },
  ) => { readonly exports: unknown };
  validate(bytes: Uint8Array<ArrayBuffer>): boolean;
};

/** A memory of so many pages of 64 KiB. */
export function makeMemory(pages: number): WasmMemory {
  return new WebAssembly.Memory({ initial: pages });
}

/** Whether this machine knows every instruction of some functions. */
export function isKnown(functions: readonly FunctionSource[]): boolean {
  return WebAssembly.validate(assemble(functions));
}

/** Compiles functions over a memory; they are found by their names. */
export function instantiate<Exports>(functions: readonly FunctionSource[], memory: WasmMemory): Exports {
  const module = new WebAssembly.Module(assemble(functions));
  return new WebAssembly.Instance(module, { env: { memory } }).exports as Exports;
}
