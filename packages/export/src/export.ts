import type { Graph } from "./graph.ts";
import { inferShapes } from "./infer.ts";
import { countParameters } from "./inspect.ts";
import type { ModelArtifacts } from "./lower/artifacts.ts";
import { isGraphModel, lowerGraphModel } from "./lower/graph-model.ts";
import { lowerLayersModel } from "./lower/layers-model.ts";
import { encodeModel, type ModelMetadata } from "./onnx/encode.ts";
import { castFloat16, type KeptFloat } from "./passes/cast-float16.ts";
import { type PassRecord, runPasses } from "./passes/pipeline.ts";
import { verify } from "./spec.ts";

/** How a model is exported. */
export interface ExportOptions {
  readonly name: string;
  /** 13 to 21. */
  readonly opset?: number;
  /** The name of the symbolic batch dimension, or a fixed size. */
  readonly batch?: string | number;
  readonly metadata?: ModelMetadata;
  /** Weights and values in float16; inputs and outputs stay float32. */
  readonly float16?: boolean;
}

/** What came of an export. */
export interface ExportReport {
  /** Inputs and outputs that lie as [batch, c, h, w] where tfjs has [batch, h, w, c]. */
  readonly images: readonly string[];
  readonly passes: readonly PassRecord[];
  /** With `float16`: the nodes that stayed in float32, and why. */
  readonly keptFloat: readonly KeptFloat[];
  /** Nodes by op. */
  readonly ops: Readonly<Record<string, number>>;
  readonly parameters: number;
  readonly bytes: number;
}

/** An exported model: as a graph, as a file, and what was done. */
export interface Exported {
  readonly graph: Graph;
  readonly onnx: Uint8Array;
  readonly report: ExportReport;
}

/**
 * Turns a tfjs LayersModel or GraphModel into an ONNX file: NCHW throughout, batch norm folded, names from the layers, equal bytes
 * for equal models. Runs anywhere; reads no file.
 *
 * @throws DistillateError `layer-unsupported`, `op-unsupported`, `model-invalid` or `graph-invalid`.
 */
export function exportModel(artifacts: ModelArtifacts, options: ExportOptions): Exported {
  const {
    name,
    opset = 17,
    batch = "batch",
    metadata = { producer: "distillate", producerVersion: "0.1.0" },
  } = options;
  const lower = isGraphModel(artifacts) ? lowerGraphModel : lowerLayersModel;
  const { graph: lowered, images } = lower(artifacts, { name, opset, batch });
  const { graph: cleaned, passes } = runPasses(lowered);
  const typed = inferShapes(cleaned);
  const { graph, kept: keptFloat } = options.float16 === true ? castFloat16(typed) : { graph: typed, kept: [] };
  verify(graph);
  const onnx = encodeModel(graph, metadata);
  const ops: Record<string, number> = {};
  for (const { op } of graph.nodes) ops[op] = (ops[op] ?? 0) + 1;
  const parameters = countParameters(graph);
  return { graph, onnx, report: { images, passes, keptFloat, ops, parameters, bytes: onnx.byteLength } };
}
