/** How images become a model's input: what its file says, or flags for a foreign one. */
import { DistillateError, type PreprocessSpec } from "@distillate/bundle";
import type { DecodedModel } from "@distillate/export";
import { UsageError } from "../usage.ts";

/** How images are normalised, for a model that does not say so: pixels 0..255 times `scale`, minus `mean`, by `std`. */
export interface PreprocessArgs {
  readonly scale?: string | undefined;
  /** One number, or one a channel, with commas. */
  readonly mean?: string | undefined;
  readonly std?: string | undefined;
}

/** The flags of {@link PreprocessArgs}. */
export const PREPROCESS_ARGS = {
  scale: { type: "string", description: "For a foreign file: what pixels 0..255 are multiplied by", valueHint: "X" },
  mean: { type: "string", description: "Then subtracted, one number or one a channel", valueHint: "X,X,X" },
  std: { type: "string", description: "Then divided by", valueHint: "X,X,X" },
} as const;

/**
 * How a model wants its images: as its metadata says, or for a foreign one as the flags say, at the size of its input.
 *
 * @throws UsageError, or DistillateError `preprocess-missing` when neither says it.
 */
export function preprocessOf(
  { metadata, graph }: DecodedModel,
  path: string,
  args: PreprocessArgs = {},
): PreprocessSpec {
  const text = metadata.properties?.preprocess;
  const given = args.scale !== undefined || args.mean !== undefined || args.std !== undefined;
  if (text !== undefined && !given) return JSON.parse(text) as PreprocessSpec;
  if (!given) {
    throw new DistillateError({
      code: "preprocess-missing",
      message: `${path} does not say how its images are prepared (metadata "preprocess")`,
      hint: "Say it with --scale, --mean and --std as it was trained, or give its inputs ready made as .npy.",
    });
  }
  const { name, shape } = graph.inputs[0]!;
  const [, channels, height, width] = shape;
  if (
    shape.length !== 4 ||
    (channels !== 1 && channels !== 3) ||
    typeof height !== "number" ||
    typeof width !== "number"
  )
    throw new UsageError(
      `input ${name} of ${path} is [${shape.join(", ")}], no [batch, 1 or 3, height, width]: give its inputs ready made as .npy`,
    );
  const numbers = (flag: string, value: string): number[] => {
    const found = value.split(",").map(Number);
    if (found.every(Number.isFinite) && (found.length === 1 || found.length === channels))
      return Array.from({ length: channels }, (_, i) => found[i] ?? found[0]!);
    throw new UsageError(`--${flag} is ${value}, expected one number or ${channels}`);
  };
  const [scale] = numbers("scale", args.scale ?? "1");
  const std = numbers("std", args.std ?? "1");
  if (std.includes(0)) throw new UsageError("--std has a zero, which nothing can be divided by");
  return {
    kind: "image",
    width,
    height,
    channels,
    fit: "stretch",
    scale: scale!,
    mean: numbers("mean", args.mean ?? "0"),
    std,
    layout: "nchw",
  };
}
