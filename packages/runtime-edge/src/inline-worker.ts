/**
 * A worker from a blob, for scripts that come from another origin: browsers start no worker from there, but import its code
 * into one. The page's policy must allow `worker-src blob:`.
 */

/**
 * Runs `start`, and gives the worker that it makes a blob which loads the same address.
 *
 * Bundlers find a worker only where `new Worker(new URL(…))` is written out, so its address is learnt where it is used: the
 * constructor is stood in for during this one synchronous call.
 */
export function startInline(start: () => Worker): Worker {
  const { Worker: Original } = globalThis;
  globalThis.Worker = class extends Original {
    constructor(address: string | URL, options?: WorkerOptions) {
      const href = JSON.stringify(new URL(address, globalThis.location.href).href);
      const code = options?.type === "module" ? `import ${href};` : `importScripts(${href});`;
      const blob = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
      super(blob, options);
      setTimeout(() => URL.revokeObjectURL(blob), BLOB_LIFE);
    }
  };
  try {
    return start();
  } finally {
    globalThis.Worker = Original;
  }
}

/** Milliseconds; some browsers fetch a worker's script a while after its constructor has returned. */
const BLOB_LIFE = 10_000;
