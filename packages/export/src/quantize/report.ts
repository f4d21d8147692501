/** The report: what became of each tensor, with one of a fixed set of reasons. */
import type { DType, Edge, Graph } from "../graph.ts";
import type { Range } from "./affine.ts";
import type { AidNote } from "./aids.ts";
import type { PresetName } from "./presets.ts";

/** Why a tensor is what it is, in words for a person. */
export const REASONS = {
  measured: "covers the range that the calibrator found",
  "measured-live": "covers the range that each batch has while it runs",
  given: "covers the range that the recipe gives",
  "shares-scale": "its values are moved from another tensor, whose scale it keeps",
  "per-channel": "one scale an output channel",
  "per-tensor": "one scale for all of it",
  "block-wise": "four bits, one scale a block of 32",
  halved: "stored in float16",
  "too-small": "its scales and the nodes that apply them would take more bytes than it saves",
  "beyond-float16": "an op or a value that float16 has no room for reads it",
  "beyond-int32": "sums of 16-bit activations may leave int32: it stays float",
  "from-scales": "scale of the input times scale of the weight",
  "fused-into-next": "only the op behind it reads it, and they run as one",
  "float-output": "the integer op before it gives floats, as its readers want",
  "op-not-quantised": "the policy has no integer form of the op that writes it",
  "form-not-quantised": "the op's attributes have no integer form",
  "weight-not-constant": "the op's weight or bias is computed while it runs",
  "not-float32": "not of type float32",
  "rule-says-float": "a rule of the recipe keeps its node in float",
} as const;

/** One of the fixed reasons. */
export type Reason = keyof typeof REASONS;

/** What became of one tensor. */
export interface TensorReport {
  readonly tensor: Edge;
  readonly role: "activation" | "weight" | "bias" | "constant";
  /** The type it is stored in; activations that stay float have float32. */
  readonly dtype: DType;
  readonly reason: Reason;
  /** Of activations and constants. */
  readonly scale?: number;
  readonly zero?: number;
  /** Of measured activations. */
  readonly range?: Range;
}

/** What was done to a graph. */
export interface QuantizeReport {
  readonly preset: PresetName;
  /** Calibration samples seen; 0 where none are needed. */
  readonly samples: number;
  readonly tensors: readonly TensorReport[];
  /** What the accuracy aids did, node by node, and why nothing where they did nothing. */
  readonly aids: readonly AidNote[];
}

/** A quantised graph and what was done. */
export interface Quantized {
  readonly graph: Graph;
  /** The float graph whose integer form it is: the one that was given, or what aids made of it. */
  readonly float: Graph;
  readonly report: QuantizeReport;
}
