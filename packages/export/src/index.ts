export { type Comparison, compareModels, type TensorComparison } from "./compare.ts";
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
export type { AidNote } from "./quantize/aids.ts";
export { CALIBRATORS } from "./quantize/calibrate/index.ts";
export type { Calibration } from "./quantize/calibrate/observe.ts";
export { compact } from "./quantize/compact.ts";
export {
  type AccuracyLimit,
  type Controlled,
  quantizeWithin,
  rankLayers,
  type Score,
  type Trial,
} from "./quantize/control-accuracy.ts";
export { PRESETS, type Preset, type PresetName } from "./quantize/presets.ts";
export { quantize } from "./quantize/quantize.ts";
export { AIDS, type AidName, parseRecipe, type Recipe, type RecipeInput } from "./quantize/recipe.ts";
export { type Quantized, type QuantizeReport, REASONS, type Reason, type TensorReport } from "./quantize/report.ts";
export { CANDIDATES, type FoundRecipe, searchRecipe, type TriedRecipe } from "./quantize/search-recipe.ts";
export { OPS, type OpSpec, verify } from "./spec.ts";
