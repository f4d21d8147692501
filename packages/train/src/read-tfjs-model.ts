/**
 * A tfjs model on disk: `model.json` and the weight files beside it, of layers or of a graph. The file may come from anywhere: it
 * names files of its own directory only, as many bytes as its manifest says, and no more than a model can have.
 */
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { DistillateError } from "@distillate/bundle";
import type { io } from "@tensorflow/tfjs-core";

/** The part of tfjs' model artifacts that an inference model needs. */
export interface ModelArtifacts {
  /** A LayersModel's configuration, or a GraphModel's nodes. */
  readonly modelTopology: object;
  readonly weightSpecs: readonly io.WeightsManifestEntry[];
  readonly weightData: Uint8Array;
  /** What a GraphModel calls its inputs and outputs. */
  readonly signature?: object;
  /** Where older GraphModels keep their signature. */
  readonly userDefinedMetadata?: object;
}

/** An ONNX file, to which models go, has at most 2 GiB. */
const MOST_BYTES = 2 ** 31;

/**
 * Reads a model by the path of its `model.json`, or of the directory that holds it.
 *
 * @throws DistillateError `model-invalid` or `checkpoint-missing`.
 */
export async function readTfjsModel(path: string): Promise<ModelArtifacts> {
  const isDirectory = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const file = isDirectory ? join(path, "model.json") : path;
  const json = parse(file, await read(file, file, MOST_BYTES));
  const { modelTopology, weightsManifest, signature, userDefinedMetadata } = json;
  if (typeof modelTopology !== "object" || modelTopology === null || !Array.isArray(weightsManifest))
    throw invalid(file, "has no modelTopology with a weightsManifest");
  if (!weightsManifest.every((group) => Array.isArray(group?.paths) && Array.isArray(group.weights)))
    throw invalid(file, "has a weightsManifest with a group that lacks paths or weights");
  const shards: Buffer[] = [];
  let left = MOST_BYTES;
  for (const name of weightsManifest.flatMap((group) => group.paths)) {
    if (typeof name !== "string" || !/^[^/\\\0]+$/.test(name) || name === "." || name === "..")
      throw invalid(file, `names the weight file ${String(name)}, expected a file beside it`);
    const shard = await read(join(file, "..", name), file, left);
    left -= shard.byteLength;
    shards.push(shard);
  }
  return {
    modelTopology,
    weightSpecs: weightsManifest.flatMap((group) => group.weights),
    weightData:
      shards.length === 1
        ? new Uint8Array(shards[0]!.buffer, shards[0]!.byteOffset, shards[0]!.byteLength)
        : new Uint8Array(Buffer.concat(shards)),
    ...(signature && { signature }),
    ...(userDefinedMetadata && { userDefinedMetadata }),
  };
}

/** Reads a file once its size is known to be one that a model can have. */
async function read(path: string, model: string, most: number): Promise<Buffer> {
  try {
    const handle = await open(path);
    try {
      const { size } = await handle.stat();
      if (size > most) throw invalid(model, `needs ${path}, with which it has more than ${MOST_BYTES} bytes`);
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EISDIR") throw invalid(model, `needs ${path}, which is a directory`);
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new DistillateError({
      code: "checkpoint-missing",
      message: `${path} is not there`,
      hint: "Check the path; a tfjs model is its model.json with the weight files beside it.",
      cause: error,
    });
  }
}

function parse(path: string, content: Buffer): Partial<io.ModelJSON> {
  try {
    return (JSON.parse(content.toString("utf8")) ?? {}) as Partial<io.ModelJSON>;
  } catch (error) {
    throw invalid(path, `is no JSON (${(error as Error).message})`);
  }
}

function invalid(path: string, what: string): DistillateError {
  return new DistillateError({
    code: "model-invalid",
    message: `${path} ${what}`,
    hint: "Give the model.json that tfjs' model.save() or the converter writes, with its weight files beside it.",
  });
}
