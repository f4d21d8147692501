export { DistillateError, type DistillateErrorInit, isDistillateError } from "./errors.ts";
export { type FileRef, sha256Hex, verifyFile } from "./integrity.ts";
export { LIMITS } from "./limits.ts";
export {
  formatManifest,
  isPlainRelativePath,
  type Manifest,
  type PreprocessSpec,
  parseManifest,
  type Variant,
} from "./manifest.ts";
export { argmax, type Ranked, softmax, topK } from "./postprocess.ts";
export {
  fitImage,
  type ImagePreprocess,
  type Normalization,
  normalizationOf,
  normalizeImage,
  type Pixels,
  preprocessImage,
} from "./preprocess/image.ts";
export { decodeProbe, encodeProbe, type ProbeData } from "./probe.ts";
