/**
 * Gives onnxruntime-web a WebAssembly module that is already compiled. It takes bytes only, so it gets the eight bytes of an
 * empty module, and where these are instantiated, the compiled module is put in their place. Used in our own workers alone:
 * the page compiles once, every worker and every restart after that starts in a fraction of the time and shares the code.
 */

/** The shortest WebAssembly file: magic and version. */
const EMPTY_MODULE = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

/** Prepares this thread's WebAssembly for `module`; returns the bytes for onnxruntime and a look at the memory's size. */
export function offerCompiledModule(module: WebAssembly.Module): {
  readonly bytes: Uint8Array;
  readonly heapBytes: () => number | undefined;
} {
  const original = WebAssembly.instantiate as (
    source: BufferSource | WebAssembly.Module,
    imports?: WebAssembly.Imports,
  ) => Promise<unknown>;
  let memory: WebAssembly.Memory | undefined;
  const instantiate = async (source: BufferSource | WebAssembly.Module, imports?: WebAssembly.Imports) => {
    if (source instanceof WebAssembly.Module || source.byteLength !== EMPTY_MODULE.length)
      return original(source, imports);
    const instance = (await original(module, imports)) as WebAssembly.Instance;
    const visible = [
      ...Object.values(imports ?? {}).flatMap((group) => Object.values(group)),
      ...Object.values(instance.exports),
    ];
    memory = visible.find((value) => value instanceof WebAssembly.Memory);
    return { module, instance };
  };
  WebAssembly.instantiate = instantiate as typeof WebAssembly.instantiate;
  return { bytes: Uint8Array.from(EMPTY_MODULE), heapBytes: () => memory?.buffer.byteLength };
}
