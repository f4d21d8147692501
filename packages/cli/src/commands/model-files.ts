import { readFile, realpath, stat } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { DistillateError, type Manifest, parseManifest, verifyFile } from "@distillate/bundle";
import { type DecodedModel, decodeModel, type ExternalFiles, encodeModel, externalFilesOf } from "@distillate/export";

/** Whether a path is the `model.json` of a tfjs model or the directory of one, rather than a recipe or a configuration. */
export async function isModelJson(path: string): Promise<boolean> {
  if (!path.endsWith(".json")) return isFile(join(path, "model.json"));
  try {
    return "modelTopology" in (JSON.parse(await readFile(path, "utf8")) as object);
  } catch (error) {
    // A missing model.json is asked for as a model: nobody names a configuration so.
    return (error as NodeJS.ErrnoException).code === "ENOENT" && path.endsWith("model.json");
  }
}

/** Reads and checks an `.onnx` file, with the files beside it that hold weights of it; `bytes` is all of it as one file. */
export async function readOnnx(path: string): Promise<DecodedModel & { readonly bytes: Uint8Array }> {
  const bytes = await readModelFile(path);
  const names = externalFilesOf(bytes);
  if (names.length === 0) return { ...decodeModel(bytes), bytes };
  const model = decodeModel(bytes, await readBeside(dirname(path), names));
  return { ...model, bytes: encodeModel(model.graph, model.metadata) };
}

/** What weights in other files may come to: what one file may. */
const MOST_EXTERNAL_BYTES = 1 << 30;

/** Reads files of a model's directory; links that lead out of it are not followed. A file that is not there is left out. */
async function readBeside(directory: string, names: readonly string[]): Promise<ExternalFiles> {
  const root = await realpath(directory);
  const files = new Map<string, Uint8Array>();
  let total = 0;
  for (const name of names) {
    const place = await realpath(join(root, name)).catch(() => undefined);
    if (place === undefined) continue;
    total += (await stat(place)).size;
    const leaves = relative(root, place).startsWith("..") || total > MOST_EXTERNAL_BYTES;
    if (leaves) {
      throw new DistillateError({
        code: "external-data-invalid",
        message: `${join(directory, name)} leads out of the model's directory, or is larger than ${MOST_EXTERNAL_BYTES} bytes`,
        hint: "Put the files of a model into one directory, at most 1 GB of them.",
      });
    }
    files.set(name, await readFile(place));
  }
  return files;
}

async function readModelFile(path: string): Promise<Uint8Array> {
  return readFile(path).catch((error: unknown) => {
    throw new DistillateError({
      code: "model-missing",
      message: `${path} cannot be read`,
      hint: "Give the path of an .onnx file.",
      cause: error,
    });
  });
}

/** A bundle on disk whose files are what its manifest says. */
export interface OpenBundle {
  readonly manifest: Manifest;
  /** All files by path. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Whether a path is a bundle: a directory with a manifest. */
export async function isBundle(path: string): Promise<boolean> {
  return isFile(join(path, "manifest.json"));
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
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
