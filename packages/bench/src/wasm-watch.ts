/** Looks on while onnxruntime-web starts: how large WebAssembly's memory is, and what compiling took. For own processes and pages only. */

/** What was seen so far. */
export interface WasmWatch {
  /** Bytes of all memories together; `undefined` before there is one. */
  heapBytes(): number | undefined;
  /** Milliseconds spent in compiling and instantiating. */
  compileMilliseconds(): number;
}

/** Begins to look; call it before the runtime is imported. */
export function watchWasm(): WasmWatch {
  const memories: WebAssembly.Memory[] = [];
  let compiling = 0;
  WebAssembly.Memory = new Proxy(WebAssembly.Memory, {
    construct(original, args) {
      const memory = Reflect.construct(original, args) as WebAssembly.Memory;
      memories.push(memory);
      return memory;
    },
  });
  const timed = <Call extends (...args: never[]) => Promise<unknown>>(call: Call): Call =>
    (async (...args: never[]) => {
      const from = performance.now();
      try {
        const result = (await call(...args)) as { instance?: WebAssembly.Instance };
        const exported = Object.values(result?.instance?.exports ?? {});
        memories.push(...exported.filter((value) => value instanceof WebAssembly.Memory));
        return result;
      } finally {
        compiling += performance.now() - from;
      }
    }) as unknown as Call;
  WebAssembly.instantiate = timed(WebAssembly.instantiate as never);
  WebAssembly.instantiateStreaming = timed(WebAssembly.instantiateStreaming as never);
  return {
    heapBytes: () =>
      memories.length === 0
        ? undefined
        : [...new Set(memories)].reduce((sum, { buffer }) => sum + buffer.byteLength, 0),
    compileMilliseconds: () => compiling,
  };
}
