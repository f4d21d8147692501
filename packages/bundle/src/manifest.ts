/**
 * `manifest.json`, the only entry point of a bundle: what the model is for, how input is prepared and output read, which
 * files there are, how well each does, and where it all comes from. Every path is relative to the manifest.
 */
import * as v from "valibot";
import { DistillateError } from "./errors.ts";
import { LIMITS } from "./limits.ts";

const count = (maximum: number): v.GenericSchema<number> =>
  v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(maximum));
const size = (maximum: number): v.GenericSchema<number> =>
  v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(maximum));
const share: v.GenericSchema<number> = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const text = (maximum: number): v.GenericSchema<string> => v.pipe(v.string(), v.maxLength(maximum));

const Path = v.pipe(
  text(512),
  v.check(isPlainRelativePath, "a relative path within the bundle: no '..', no leading '/', no '\\', no scheme"),
);
const File = v.object({
  path: Path,
  bytes: size(LIMITS.fileBytes),
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "64 hexadecimal digits")),
});

const TensorSpec = v.object({
  name: text(256),
  dtype: v.picklist(["float32", "float16", "uint8", "int8", "int32", "int64"]),
  /** A number, or the name of a dimension that the caller chooses, such as "batch". */
  shape: v.pipe(v.array(v.union([size(LIMITS.dimension), text(64)])), v.maxLength(LIMITS.rank)),
});

const Preprocess = v.pipe(
  v.object({
    kind: v.literal("image"),
    width: size(LIMITS.imageSide),
    height: size(LIMITS.imageSide),
    channels: v.picklist([1, 3]),
    fit: v.picklist(["stretch", "cover", "contain"]),
    scale: v.pipe(v.number(), v.finite()),
    mean: v.pipe(v.array(v.pipe(v.number(), v.finite())), v.maxLength(3)),
    std: v.pipe(v.array(v.pipe(v.number(), v.finite(), v.notValue(0))), v.maxLength(3)),
    layout: v.picklist(["nchw", "nhwc"]),
  }),
  v.check(
    ({ channels, mean, std }) => mean.length === channels && std.length === channels,
    "one mean and one std per channel",
  ),
);

const Variant = v.object({
  id: v.picklist(["fp32", "fp16", "int8", "int8-weights"]),
  file: File,
  opset: size(1_000),
  /** On the test part, in the runtime that serves the file. */
  accuracy: v.optional(share),
  /** Share of test samples on which it names the class that the teacher names. */
  agreement: v.optional(share),
  /** Backends this variant is meant for, the best first, as measured; absent where nothing was measured. */
  preferred: v.optional(v.pipe(v.array(v.picklist(["wasm", "webgpu", "node"])), v.maxLength(8))),
});

const Probe = v.object({
  file: File,
  samples: size(LIMITS.probeSamples),
  /** Largest absolute difference from the stored float outputs, by variant. */
  tolerance: v.record(v.string(), v.pipe(v.number(), v.minValue(0))),
});

const Semver = v.pipe(
  v.string(),
  v.regex(/^\d{1,6}\.\d{1,6}\.\d{1,6}(-[\w.]{1,64})?$/, "a semantic version such as 1.0.0"),
);

const Manifest = v.object({
  format: v.literal("distillate-bundle"),
  version: v.literal(1),
  id: v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9._-]{0,63}$/i, "letters, digits, '.', '_' and '-'")),
  /** Semantic version of the model. */
  semver: Semver,
  task: v.picklist(["image-classification", "audio-classification", "text-classification"]),
  /** What a runtime must at least be to run it rightly. */
  requires: v.optional(v.object({ runtime: v.optional(Semver) })),
  /** Share of devices that shall take this version as an update; absent means all. */
  rollout: v.optional(share),
  inputs: v.pipe(v.array(TensorSpec), v.minLength(1), v.maxLength(16)),
  outputs: v.pipe(v.array(TensorSpec), v.minLength(1), v.maxLength(16)),
  preprocess: Preprocess,
  postprocess: v.object({ kind: v.literal("softmax"), topK: size(LIMITS.labels) }),
  labels: v.pipe(v.array(text(LIMITS.labelCharacters)), v.minLength(1), v.maxLength(LIMITS.labels)),
  variants: v.pipe(
    v.array(Variant),
    v.minLength(1),
    v.maxLength(LIMITS.variants),
    v.check((variants) => new Set(variants.map(({ id }) => id)).size === variants.length, "each variant once"),
  ),
  probe: v.optional(Probe),
  provenance: v.object({
    tool: text(128),
    configHash: text(128),
    dataHash: text(128),
    seed: count(2 ** 32),
    teacher: v.optional(v.object({ model: text(128), parameters: count(2 ** 40), accuracy: v.optional(share) })),
    student: v.object({ model: text(128), parameters: count(2 ** 40) }),
  }),
});

/** A bundle's manifest. */
export type Manifest = v.InferOutput<typeof Manifest>;
/** One file of a model: one precision. */
export type Variant = Manifest["variants"][number];
/** How samples become input; more kinds follow with their tasks. */
export type PreprocessSpec = Manifest["preprocess"];

/**
 * Reads a manifest from its text, or from JSON already parsed. Unknown fields are ignored; an unknown version is refused.
 *
 * @throws DistillateError `manifest-invalid` or `manifest-version`.
 */
export function parseManifest(source: unknown): Manifest {
  const json = typeof source === "string" ? parseText(source) : source;
  const { format, version } = (typeof json === "object" && json !== null ? json : {}) as {
    format?: unknown;
    version?: unknown;
  };
  if (format === "distillate-bundle" && version !== 1) {
    throw new DistillateError({
      code: "manifest-version",
      message: `the manifest has version ${JSON.stringify(version)}, expected 1`,
      hint: "Update this software to one that reads the bundle, or make the bundle again with this version.",
    });
  }
  const result = v.safeParse(Manifest, json);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = issue.path?.map(({ key }) => String(key)).join(".") || "the manifest";
  throw invalid(
    `${path} is ${shorten(issue.received)}, expected ${issue.type === "check" ? issue.message : (issue.expected ?? issue.message)}`,
  );
}

/** Writes a manifest: members in the schema's order, two spaces, one newline at the end, so equal manifests are equal bytes. */
export function formatManifest(manifest: Manifest): string {
  return `${JSON.stringify(parseManifest(manifest), null, 2)}\n`;
}

function parseText(source: string): unknown {
  if (source.length > LIMITS.manifestCharacters) {
    throw invalid(`the manifest has ${source.length} characters, expected at most ${LIMITS.manifestCharacters}`);
  }
  try {
    return JSON.parse(source);
  } catch (error) {
    const html = /^\s*</.test(source) ? " It begins like HTML." : "";
    throw invalid(`the manifest is no JSON: ${shorten((error as Error).message)}.${html}`);
  }
}

/** Tells whether a path stays below the place it is relative to, on any system. */
export function isPlainRelativePath(path: string): boolean {
  const parts = path.split("/");
  return !/[\\:\0?#%]/.test(path) && parts.every((part) => part !== "" && part !== "." && part !== "..");
}

function invalid(message: string): DistillateError {
  return new DistillateError({
    code: "manifest-invalid",
    message,
    hint: "Give the address of the manifest.json of a bundle made by `distillate`, unchanged.",
  });
}

function shorten(words: string): string {
  return words.length > 200 ? `${words.slice(0, 200)}…` : words;
}
