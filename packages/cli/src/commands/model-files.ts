import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { DistillateError, type Manifest, type PreprocessSpec, parseManifest, verifyFile } from "@distillate/bundle";
import { type DecodedModel, decodeModel } from "@distillate/export";
import { RECIPES } from "@distillate/recipes";
import { parseConfig, type RunConfig } from "@distillate/train";
import { UsageError } from "../usage.ts";
import { type ConfigArgs, configOf } from "./run-config.ts";

/** Whether a path is the `model.json` of a tfjs model, rather than a recipe or a configuration. */
export async function isModelJson(path: string): Promise<boolean> {
  if (!path.endsWith(".json")) return false;
  try {
    return "modelTopology" in (JSON.parse(await readFile(path, "utf8")) as object);
  } catch (error) {
    // A missing model.json is asked for as a model: nobody names a configuration so.
    return (error as NodeJS.ErrnoException).code === "ENOENT" && path.endsWith("model.json");
  }
}

/** Reads and checks an `.onnx` file. */
export async function readOnnx(path: string): Promise<DecodedModel & { readonly bytes: Uint8Array }> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw new DistillateError({
      code: "model-missing",
      message: `${path} cannot be read`,
      hint: "Give the path of an .onnx file.",
      cause: error,
    });
  });
  return { ...decodeModel(bytes), bytes };
}

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

/** The configuration of a data set, a recipe's name or a directory, whose images have the size that a model wants. */
export async function imageConfigOf(
  { data, ...args }: Pick<ConfigArgs, "set" | "seed"> & { readonly data: string },
  preprocess: PreprocessSpec,
): Promise<RunConfig> {
  if (preprocess.kind !== "image") throw new UsageError(`the data are images; the model takes ${preprocess.kind}`);
  const { width, height, channels, fit } = preprocess;
  const config = await configOf({ ...args, ...(Object.hasOwn(RECIPES, data) ? { recipe: data } : { data }) });
  if (config.data.kind !== "image-folder") return config;
  return parseConfig({ ...config, data: { ...config.data, image: { width, height, channels, fit } } });
}

/** A bundle on disk whose files are what its manifest says. */
export interface OpenBundle {
  readonly manifest: Manifest;
  /** All files by path. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Whether a path is a bundle: a directory with a manifest. */
export async function isBundle(path: string): Promise<boolean> {
  return stat(join(path, "manifest.json")).then(
    () => true,
    () => false,
  );
}

/**
 * Reads a bundle and checks every file's size and hash.
 *
 * @throws DistillateError `manifest-invalid`, `file-missing` or `file-corrupted`.
 */
export async function openBundle(directory: string): Promise<OpenBundle> {
  const manifest = parseManifest(await readFile(join(directory, "manifest.json"), "utf8"));
  const files = new Map<string, Uint8Array>();
  const wanted = [...manifest.variants.map(({ file }) => file), ...(manifest.probe ? [manifest.probe.file] : [])];
  for (const file of wanted) {
    const bytes = await readFile(join(directory, file.path)).catch((error: unknown) => {
      throw new DistillateError({
        code: "file-missing",
        message: `${join(directory, file.path)} is not there, but the manifest names it`,
        hint: "Copy the bundle again; its files belong together.",
        cause: error,
      });
    });
    await verifyFile(bytes, file);
    files.set(file.path, bytes);
  }
  return { manifest, files };
}
