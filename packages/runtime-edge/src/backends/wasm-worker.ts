/** The worker of the wasm backend. Its imports are static: a bundler need not split a worker. */
import * as onnxruntime from "onnxruntime-web/wasm";
import { serveEngine } from "../engine/serve.ts";
import type { Onnxruntime } from "./backend.ts";

serveEngine(onnxruntime as unknown as Onnxruntime);
