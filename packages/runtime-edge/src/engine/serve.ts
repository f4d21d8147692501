/** The worker's side: opens one engine and answers for it. */
import type { Onnxruntime } from "../backends/backend.ts";
import { offerCompiledModule } from "./compiled-runtime.ts";
import { decodeInBrowser } from "./decode-image.ts";
import type { Engine, EngineSetup } from "./engine.ts";
import { openSession } from "./open-session.ts";
import { type Reply, type Request, toPlainError } from "./protocol.ts";

/** The part of a worker's global scope that is used. */
interface Scope {
  onmessage: ((event: { readonly data: Request }) => void) | null;
  postMessage(message: Reply, transfer?: readonly ArrayBuffer[]): void;
}

/** Serves an engine to the page that started this worker. Call it once, in the worker's own file. */
export function serveEngine(ort: Onnxruntime, scope: Scope = globalThis as unknown as Scope): void {
  let engine: Engine | undefined;
  scope.onmessage = async ({ data: request }) => {
    const { id } = request;
    try {
      if (request.kind === "open") {
        engine = await open(ort, request.setup);
        void engine.lost.then((error) => scope.postMessage({ lost: toPlainError(error) }));
        scope.postMessage({ id, ok: true, value: engine.opened });
      } else {
        const value = await engine!.run(request.input);
        const buffers = Object.values(value.outputs).map(({ data }) => data.buffer as ArrayBuffer);
        scope.postMessage({ id, ok: true, value }, buffers);
      }
    } catch (error) {
      scope.postMessage({ id, ok: false, error: toPlainError(error) });
    }
  };
}

function open(ort: Onnxruntime, setup: EngineSetup): Promise<Engine> {
  if (!(setup.runtime instanceof WebAssembly.Module)) return openSession(async () => ort, setup, decodeInBrowser);
  const { bytes, heapBytes } = offerCompiledModule(setup.runtime);
  return openSession(async () => ort, { ...setup, runtime: bytes }, decodeInBrowser, heapBytes);
}
