/** The runtimes of Node, each imported when it is opened so that its import is a phase of its own. */
import { readFile } from "node:fs/promises";
import { type Onnxruntime, openSession } from "../session.ts";
import type { Opener } from "../target.ts";
import type { WasmWatch } from "../wasm-watch.ts";

async function timed<Value>(work: () => Promise<Value>): Promise<readonly [Value, number]> {
  const from = performance.now();
  const value = await work();
  return [value, performance.now() - from];
}

/** Openers by runtime. */
export function nodeOpeners(watch: WasmWatch): Readonly<Record<string, Opener>> {
  return {
    "onnxruntime-node": async ({ source, threads }, inputs) => {
      const [ort, runtime] = await timed(async () => (await import("onnxruntime-node")) as unknown as Onnxruntime);
      const [bytes, model] = await timed(() => readFile(source));
      const options = {
        executionProviders: ["cpu"],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        logSeverityLevel: 3,
      };
      return openSession(ort, bytes, options, inputs, (session) => ({ runtime, model, session }));
    },
    "onnxruntime-web-wasm": async ({ source, threads }, inputs) => {
      const [web, runtime] = await timed(() => import("onnxruntime-web/wasm"));
      web.env.wasm.numThreads = threads;
      web.env.logLevel = "error";
      const [bytes, model] = await timed(() => readFile(source));
      const before = watch.compileMilliseconds();
      return openSession(web as unknown as Onnxruntime, bytes, { executionProviders: ["wasm"] }, inputs, (whole) => {
        const compile = watch.compileMilliseconds() - before;
        return { runtime, compile, model, session: whole - compile };
      });
    },
  };
}
