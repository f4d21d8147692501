export { type Exported, type ExportOptions, type ExportReport, exportModel } from "./export.ts";
export type {
  Attr,
  Attrs,
  Dim,
  DType,
  Edge,
  Feeds,
  Graph,
  Node,
  Pass,
  RunnableModel,
  Runner,
  RunnerOptions,
  Tensor,
  Value,
} from "./graph.ts";
export { inferShapes } from "./infer.ts";
export { type ModelSummary, type QuantizedTensor, summarize } from "./inspect.ts";
export type { ModelArtifacts } from "./lower/artifacts.ts";
export { type DecodedModel, decodeModel } from "./onnx/decode.ts";
export { type ExternalFiles, externalFilesOf } from "./onnx/decode-tensor.ts";
export { encodeModel, type ModelMetadata } from "./onnx/encode.ts";
export { type PassRecord, runPasses } from "./passes/pipeline.ts";
export { printGraph } from "./print.ts";
export { type Decision, type Quantized, quantizeStatic } from "./quantize/quantize.ts";
export { OPS, type OpSpec, verify } from "./spec.ts";
