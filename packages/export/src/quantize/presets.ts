import type { ActivationType } from "./affine.ts";

/** Integers all the way: ranges measured on samples, Quantize and Dequantize pairs. */
export interface StaticPreset {
  readonly form: "static";
  readonly activations: ActivationType;
  /** The largest magnitude of a weight's integer: 127 for 8 bits, 63 for 7. */
  readonly weightLimit: 127 | 63;
  /** Float where the sums of such activations would leave int32. */
  readonly biases: "int32" | "float32";
  /** The first opset that has these types. */
  readonly opset: number;
  /** What it is for, in a line. */
  readonly about: string;
}

/** Weights stored small, computation in floats; no samples are needed. */
export interface StoredPreset {
  readonly form: "stored";
  readonly weights: "int8" | "int4" | "float16";
  /** What it is for, in a line. */
  readonly about: string;
}

/** Weights as integers, ranges of activations looked at while the model runs; no samples are needed. */
export interface DynamicPreset {
  readonly form: "dynamic";
  /** What it is for, in a line. */
  readonly about: string;
}

/** What a preset stands for. */
export type Preset = StaticPreset | StoredPreset | DynamicPreset;

/** The presets by name. */
export const PRESETS = {
  int8: {
    form: "static",
    activations: "uint8",
    weightLimit: 127,
    biases: "int32",
    opset: 13,
    about: "activations uint8, weights int8 per output channel: what onnxruntime fuses into integer kernels",
  },
  "int8-7bit": {
    form: "static",
    activations: "uint8",
    weightLimit: 63,
    biases: "int32",
    opset: 13,
    about: "int8 with weights of 7 bits, for x86 processors without VNNI, whose kernels saturate",
  },
  "int16-activations": {
    form: "static",
    activations: "uint16",
    weightLimit: 127,
    biases: "float32",
    opset: 21,
    about:
      "activations uint16, weights int8: nearly the accuracy of float, computed in float but on processors made for it",
  },
  dynamic: {
    form: "dynamic",
    about: "large products in integers whose ranges are looked at while they run; needs no samples",
  },
  "int8-weights": {
    form: "stored",
    weights: "int8",
    about: "a quarter of the bytes, as fast as fp32 everywhere: weights stored in int8, computed in float",
  },
  "int4-weights": {
    form: "stored",
    weights: "int4",
    about: "large products and tables in blocks of 4 bits, for onnxruntime; slow in wasm",
  },
  fp16: {
    form: "stored",
    weights: "float16",
    about: "half the bytes; webgpu computes in float16, all else in float32",
  },
} as const satisfies { readonly [name: string]: Preset };

/** The name of a preset. */
export type PresetName = keyof typeof PRESETS;
