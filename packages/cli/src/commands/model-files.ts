import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { DistillateError, type Manifest, parseManifest, verifyFile } from "@distillate/bundle";
import { type DecodedModel, decodeModel } from "@distillate/export";

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
