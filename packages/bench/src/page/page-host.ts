/** The host in a page: it asks its server for models, inputs and onnxruntime's files as they are shipped. */
import { capabilities } from "@distillate/runtime-edge";
import { systemClock } from "../clock.ts";
import { createHost, type Host } from "../host.ts";
import { type Answer, answer } from "../host-protocol.ts";
import { type Onnxruntime, openSession } from "../session.ts";
import { INPUT_ARRAYS, type InputSet, type InputTensor, type Opener } from "../target.ts";
import { watchWasm } from "../wasm-watch.ts";
import { WEB_RUNTIME_FILES } from "../web-runtime-files.ts";
import { type SurroundingsScope, watchSurroundings } from "./surroundings.ts";

/** What the server says of the inputs; the values of input `i` are at `/inputs/i`. */
export interface PageInputs {
  readonly samples: number;
  readonly tensors: readonly Omit<InputTensor, "data">[];
}

type WebRuntime = Onnxruntime & {
  readonly env: { logLevel?: string; readonly wasm: { numThreads?: number; wasmBinary?: ArrayBuffer } };
};

const watch = watchWasm();

const open =
  (provider: keyof typeof WEB_RUNTIME_FILES): Opener =>
  async ({ source, threads }, inputs) => {
    const { script, binary } = WEB_RUNTIME_FILES[provider];
    const from = performance.now();
    const [ort, wasmBinary] = await Promise.all([
      import(`/ort/${script}`) as Promise<WebRuntime>,
      fetch(`/ort/${binary}`).then((response) => response.arrayBuffer()),
    ]);
    const runtime = performance.now() - from;
    ort.env.logLevel = "error";
    ort.env.wasm.numThreads = threads;
    ort.env.wasm.wasmBinary = wasmBinary;
    const asked = performance.now();
    const bytes = new Uint8Array(await (await fetch(source)).arrayBuffer());
    const model = performance.now() - asked;
    const before = watch.compileMilliseconds();
    const phases = (whole: number) => {
      const compile = watch.compileMilliseconds() - before;
      return { runtime, compile, model, session: whole - compile };
    };
    const adapter = provider === "webgpu" ? await adapterFacts() : {};
    const details = { isolated: globalThis.crossOriginIsolated === true, ...adapter };
    return openSession(ort, bytes, { executionProviders: [provider] }, inputs, phases, details);
  };

const host = createHost({
  openers: { "onnxruntime-web-wasm": open("wasm"), "onnxruntime-web-webgpu": open("webgpu") },
  clock: systemClock,
  memory: async () => ({ wasmHeap: watch.heapBytes(), page: await pageBytes() }),
  held: () => ({ wasmHeap: watch.heapBytes() }),
  noticed: watchSurroundings(globalThis as unknown as SurroundingsScope),
});

async function adapterFacts(): Promise<Record<string, string | boolean>> {
  const { webgpu } = await capabilities();
  return webgpu.available ? { adapter: webgpu.adapter, software: webgpu.software } : {};
}

/** The browser answers after its next collection of garbage, which may be long in coming. */
async function pageBytes(): Promise<number | undefined> {
  const measure = (performance as { measureUserAgentSpecificMemory?: () => Promise<{ bytes: number }> })
    .measureUserAgentSpecificMemory;
  if (measure === undefined || !globalThis.crossOriginIsolated) return undefined;
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, 2_000));
  return (await Promise.race([measure.call(performance).catch(() => undefined), late]))?.bytes;
}

async function fetchInputs(): Promise<InputSet> {
  const { samples, tensors } = (await (await fetch("/inputs")).json()) as PageInputs;
  const data = await Promise.all(tensors.map((_, i) => fetch(`/inputs/${i}`).then((part) => part.arrayBuffer())));
  return {
    samples,
    tensors: tensors.map((tensor, i) => ({ ...tensor, data: new INPUT_ARRAYS[tensor.dtype](data[i]!) })),
  };
}

/** Does what was asked. Inputs are too large for a driver's messages: the page fetches them. */
export async function answerHere(method: keyof Host, args: readonly unknown[]): Promise<Answer> {
  return answer(host, method, method === "setInputs" ? [await fetchInputs()] : args);
}
