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
import { type ModelArtifacts, readTfjsModel } from "./read-tfjs-model.ts";

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
  /** Threads that shared the work; nothing of it depends on their number. Absent in files from before there were several. */
  readonly workers?: number;
}

/** A checkpoint as read back: no tfjs needed to look inside. */
export interface Checkpoint {
  readonly info: CheckpointInfo;
  /** Stock tfjs artifacts: topology, weight specs, one buffer. */
  readonly artifacts: ModelArtifacts;
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
  return { info, artifacts: await readTfjsModel(join(directory, "model.json")) };
}

/** Makes a tfjs model of a checkpoint's artifacts; the caller disposes it. */
export function loadModel({ modelTopology, weightSpecs, weightData }: ModelArtifacts): Promise<LayersModel> {
  const { buffer, byteOffset, byteLength } = weightData;
  return loadLayersModel(
    io.fromMemory({
      modelTopology,
      weightSpecs: [...weightSpecs],
      weightData: buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer,
    }),
  );
}

/** A model as artifacts in memory. */
export async function artifactsOf(model: LayersModel): Promise<ModelArtifacts> {
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
