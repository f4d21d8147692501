/**
 * A checkpoint directory, where training and export meet: `model.json` and `weights.bin` are the stock files of a tfjs
 * LayersModel (any tfjs loads them), `checkpoint.json` says what they are and what they were trained on.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DistillateError, type PreprocessSpec } from "@distillate/bundle";
import { io } from "@tensorflow/tfjs-core";
import { type LayersModel, loadLayersModel } from "@tensorflow/tfjs-layers";
import { writeFileAtomic } from "./atomic-write.ts";
import type { EpochRecord } from "./loop.ts";

/** Which part a network plays. */
export type Role = "teacher" | "assistant" | "baseline" | "student";

/** What `checkpoint.json` says about the files beside it. */
export interface CheckpointInfo {
  readonly role: Role;
  readonly seed: number;
  readonly labels: readonly string[];
  readonly preprocess: PreprocessSpec;
  /** Height, width, channels. */
  readonly inputShape: readonly [number, number, number];
  readonly parameters: number;
  /** The epoch, counted from 1, whose weights these are: the best on the validation part. */
  readonly epoch: number;
  readonly validationAccuracy: number;
  readonly history: readonly EpochRecord[];
  readonly config: unknown;
  readonly dataHash: string;
  readonly engine: string;
}

/** A checkpoint as read back: no tfjs needed to look inside. */
export interface Checkpoint {
  readonly info: CheckpointInfo;
  /** Stock tfjs artifacts: topology, weight specs, one buffer. */
  readonly artifacts: LayersModelArtifacts;
}

/** The part of tfjs' model artifacts that an inference model needs. */
export interface LayersModelArtifacts {
  readonly modelTopology: object;
  readonly weightSpecs: readonly io.WeightsManifestEntry[];
  readonly weightData: Uint8Array;
}

/** The files of a checkpoint directory, in the order they are written. */
export const CHECKPOINT_FILES: readonly string[] = ["weights.bin", "model.json", "checkpoint.json"];

interface CheckpointFile extends CheckpointInfo {
  readonly format: "distillate-checkpoint";
  readonly version: 1;
  readonly files: { readonly [name: string]: { readonly bytes: number; readonly sha256: string } };
}

/** Writes a checkpoint; `checkpoint.json` comes last, so that a directory that has it is whole. */
export async function writeCheckpoint(directory: string, model: LayersModel, info: CheckpointInfo): Promise<void> {
  const artifacts = await artifactsOf(model);
  const modelJson = `${JSON.stringify({
    format: "layers-model",
    generatedBy: "distillate",
    convertedBy: null,
    modelTopology: artifacts.modelTopology,
    weightsManifest: [{ paths: ["weights.bin"], weights: artifacts.weightSpecs }],
  })}\n`;
  const contents = { "weights.bin": artifacts.weightData, "model.json": Buffer.from(modelJson) };
  const file: CheckpointFile = {
    format: "distillate-checkpoint",
    version: 1,
    ...info,
    files: Object.fromEntries(
      Object.entries(contents).map(([name, content]) => [name, { bytes: content.byteLength, sha256: sha256(content) }]),
    ),
  };
  for (const [name, content] of Object.entries(contents)) await writeFileAtomic(join(directory, name), content);
  await writeFileAtomic(join(directory, "checkpoint.json"), `${JSON.stringify(file, null, 2)}\n`);
}

/**
 * Reads a checkpoint and checks its files against the sizes and hashes it recorded.
 *
 * @throws DistillateError `checkpoint-missing` or `checkpoint-corrupted`, naming the file.
 */
export async function readCheckpoint(directory: string): Promise<Checkpoint> {
  const path = join(directory, "checkpoint.json");
  const { format, version, files, ...info } = parse<CheckpointFile>(path, await read(path));
  if (format !== "distillate-checkpoint" || version !== 1) {
    throw corrupted(path, `is ${format} version ${version}, expected distillate-checkpoint version 1`);
  }
  const contents = new Map<string, Buffer>();
  for (const [name, expected] of Object.entries(files)) {
    const content = await read(join(directory, name));
    if (content.byteLength !== expected.bytes || sha256(content) !== expected.sha256) {
      throw corrupted(
        join(directory, name),
        `has ${content.byteLength} bytes with SHA-256 ${sha256(content)}, expected ${expected.bytes} bytes with ${expected.sha256}`,
      );
    }
    contents.set(name, content);
  }
  return { info, artifacts: await readLayersModel(join(directory, "model.json")) };
}

/**
 * Reads any tfjs LayersModel from its `model.json` and the weight files beside it.
 *
 * @throws DistillateError `model-invalid` or `checkpoint-missing`.
 */
export async function readLayersModel(path: string): Promise<LayersModelArtifacts> {
  const json = parse<Partial<io.ModelJSON>>(path, await read(path));
  if (typeof json.modelTopology !== "object" || json.modelTopology === null || !Array.isArray(json.weightsManifest)) {
    throw new DistillateError({
      code: "model-invalid",
      message: `${path} has no modelTopology with a weightsManifest`,
      hint: "Give the model.json that tfjs' model.save() writes for a LayersModel.",
    });
  }
  const shards: Buffer[] = [];
  for (const name of json.weightsManifest.flatMap((group) => group.paths)) {
    if (name.includes("/") || name.includes("\\") || name === "..") {
      throw new DistillateError({
        code: "model-invalid",
        message: `${path} names the weight file ${name}, expected a file beside it`,
        hint: "Keep weight files in the directory of model.json.",
      });
    }
    shards.push(await read(join(path, "..", name)));
  }
  const weightSpecs = json.weightsManifest.flatMap((group) => group.weights);
  return { modelTopology: json.modelTopology, weightSpecs, weightData: new Uint8Array(Buffer.concat(shards)) };
}

/** Makes a tfjs model of a checkpoint's artifacts; the caller disposes it. */
export function loadModel({ modelTopology, weightSpecs, weightData }: LayersModelArtifacts): Promise<LayersModel> {
  const { buffer, byteOffset, byteLength } = weightData;
  return loadLayersModel(
    io.fromMemory({
      modelTopology,
      weightSpecs: [...weightSpecs],
      weightData: buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer,
    }),
  );
}

async function artifactsOf(model: LayersModel): Promise<LayersModelArtifacts> {
  let saved: io.ModelArtifacts | undefined;
  await model.save(
    io.withSaveHandler(async (artifacts) => {
      saved = artifacts;
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } };
    }),
  );
  const { modelTopology, weightSpecs, weightData } = saved!;
  return {
    modelTopology: modelTopology as object,
    weightSpecs: weightSpecs!,
    weightData: new Uint8Array(io.CompositeArrayBuffer.join(weightData!)),
  };
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new DistillateError({
      code: "checkpoint-missing",
      message: `${path} is not there`,
      hint: "Check the path; a checkpoint directory holds model.json, weights.bin and checkpoint.json.",
      cause: error,
    });
  }
}

function parse<T>(path: string, content: Buffer): T {
  try {
    return JSON.parse(content.toString("utf8")) as T;
  } catch (error) {
    throw corrupted(path, `is no JSON (${(error as Error).message})`);
  }
}

function corrupted(path: string, what: string): DistillateError {
  return new DistillateError({
    code: "checkpoint-corrupted",
    message: `${path} ${what}`,
    hint: `Delete ${join(path, "..")} to train this network again; everything else is kept.`,
  });
}

function sha256(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}
