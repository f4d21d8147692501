/** The worker of the webgpu backend. */
import * as onnxruntime from "onnxruntime-web/webgpu";
import { serveEngine } from "../engine/serve.ts";
import type { Onnxruntime } from "./backend.ts";

serveEngine(onnxruntime as unknown as Onnxruntime);
