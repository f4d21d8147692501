import type { ActivationType } from "./affine.ts";

/** What a preset stands for. */
export interface Preset {
  /** `static`: ranges measured on samples, Quantize and Dequantize pairs. */
  readonly form: "static";
  readonly activations: ActivationType;
  /** The largest magnitude of a weight's integer: 127 for 8 bits, 63 for 7. */
  readonly weightLimit: 127 | 63;
  /** What it is for, in a line. */
  readonly about: string;
}

/** The presets by name. */
export const PRESETS = {
  int8: {
    form: "static",
    activations: "uint8",
    weightLimit: 127,
    about: "activations uint8, weights int8 per output channel: what onnxruntime fuses into integer kernels",
  },
  "int8-7bit": {
    form: "static",
    activations: "uint8",
    weightLimit: 63,
    about: "int8 with weights of 7 bits, for x86 processors without VNNI, whose kernels saturate",
  },
} as const satisfies { readonly [name: string]: Preset };

/** The name of a preset. */
export type PresetName = keyof typeof PRESETS;
