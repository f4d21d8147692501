/** The worker's side: opens one engine and answers for it. */
import { DistillateError } from "@distillate/bundle";
import { ONNXRUNTIME_VERSION, type Onnxruntime } from "../backends/backend.ts";
import { offerCompiledModule } from "./compiled-runtime.ts";
import { decodeInBrowser } from "./decode-image.ts";
import type { Engine, EngineInput, EngineSetup } from "./engine.ts";
import { openSession } from "./open-session.ts";
import { type Reply, type Request, toPlainError } from "./protocol.ts";

/** The part of a worker's global scope that is used. */
interface Scope {
  readonly name?: string;
  onmessage: ((event: { readonly data: Request }) => void) | null;
  postMessage(message: Reply, transfer?: readonly ArrayBuffer[]): void;
}

/**
 * Serves an engine to the page that started this worker. Call it once, in the worker's own file.
 *
 * @param ort the module `onnxruntime-web/wasm` or `onnxruntime-web/webgpu`, of the version that this package depends on.
 */
export function serveEngine(ort: Onnxruntime, scope: Scope = globalThis as unknown as Scope): void {
  // onnxruntime starts its threads from the file it lies in, which is this one where a bundler joins them.
  if (scope.name?.startsWith("em-pthread")) return;
  let engine: Engine | undefined;
  scope.onmessage = async ({ data: request }) => {
    const { id } = request;
    try {
      if (request.kind === "open") {
        requireVersion(ort);
        engine = await open(ort, request.setup);
        void engine.lost.then((error) => scope.postMessage({ lost: toPlainError(error) }));
        scope.postMessage({ id, ok: true, value: engine.opened });
      } else {
        const value = await engine!.run(request.input).finally(() => release(request.input));
        const buffers = Object.values(value.outputs).map(({ data }) => data.buffer as ArrayBuffer);
        scope.postMessage({ id, ok: true, value }, buffers);
      }
    } catch (error) {
      scope.postMessage({ id, ok: false, error: toPlainError(error) });
    }
  };
  // Where a bundler splits the worker, this comes long after its start: what was sent before is lost.
  scope.postMessage({ listening: true });
}

function open(ort: Onnxruntime, setup: EngineSetup): Promise<Engine> {
  if (!(setup.runtime instanceof WebAssembly.Module)) return openSession(async () => ort, setup, decodeInBrowser);
  const { bytes, heapBytes } = offerCompiledModule(setup.runtime);
  return openSession(async () => ort, { ...setup, runtime: bytes }, decodeInBrowser, heapBytes);
}

/** Copies of the page's pictures hold memory of the graphics device until they are closed. */
function release(input: EngineInput): void {
  if (input.kind !== "images") return;
  for (const image of input.images) if (image.kind === "bitmap") image.bitmap.close();
}

/** @throws DistillateError `backend-unavailable`: script and WebAssembly of two versions end in a LinkError (onnxruntime#21318). */
function requireVersion({ env }: Onnxruntime): void {
  const found = env.versions?.web;
  if (found === undefined || found === ONNXRUNTIME_VERSION) return;
  throw new DistillateError({
    code: "backend-unavailable",
    message: `the worker has onnxruntime-web ${found}, expected ${ONNXRUNTIME_VERSION}`,
    hint: `Install onnxruntime-web@${ONNXRUNTIME_VERSION}, or leave the worker to @distillate/runtime-edge.`,
  });
}
