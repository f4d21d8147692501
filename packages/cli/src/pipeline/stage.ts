import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { DistillateError } from "@distillate/bundle";
import { writeFileAtomic } from "@distillate/train";
import { contentKey, sha256 } from "./content-hash.ts";
import type { PipelineContext } from "./context.ts";

const RECORD = "stage.json";
const PENDING = "pending.json";

/** What a finished stage leaves in `stage.json`. */
export interface StageRecord<Result> {
  readonly format: "distillate-stage";
  readonly version: 1;
  readonly stage: string;
  /** SHA-256 over the stage's inputs; the stage is skipped while it stays the same. */
  readonly key: string;
  readonly seconds: number;
  readonly outputs: readonly StageOutput[];
  /** Small data that later stages and the report read. */
  readonly result: Result;
}

/** A file a stage wrote, relative to the stage's directory. */
export interface StageOutput {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** One stage: a pure function of its inputs that writes into its own directory. */
export interface Stage<Result> {
  readonly name: string;
  readonly directory: string;
  /** Everything that decides the result: a config slice, hashes of input files, versions. */
  readonly inputs: unknown;
  /** Does the work; returns its small result and the files it wrote, relative to the directory. */
  run(): Promise<{ readonly result: Result; readonly files: readonly string[] }>;
}

/** What {@link runStage} returns. */
export interface StageOutcome<Result> {
  readonly record: StageRecord<Result>;
  readonly cached: boolean;
}

/**
 * Runs a stage, or skips it when its key is already there, and says which.
 *
 * A stage that was cut off with the same key finds its directory as it left it and may resume; with another key the
 * directory is emptied first.
 *
 * @throws DistillateError `stage-output-corrupted` when a finished stage's file is missing or has changed.
 */
export async function runStage<Result>(
  { onEvent, clock }: Pick<PipelineContext, "onEvent" | "clock">,
  stage: Stage<Result>,
): Promise<StageOutcome<Result>> {
  const key = contentKey({ stage: stage.name, inputs: stage.inputs });
  const finished = await readRecord<Result>(stage.directory);
  if (finished?.key === key) {
    await checkOutputs(stage, finished);
    onEvent({ kind: "stage-cached", stage: stage.name });
    return { record: finished, cached: true };
  }

  const pendingPath = join(stage.directory, PENDING);
  if ((await readJson<{ key: string }>(pendingPath))?.key !== key) {
    await rm(stage.directory, { recursive: true, force: true });
    await writeFileAtomic(pendingPath, JSON.stringify({ key }));
  }

  onEvent({ kind: "stage-start", stage: stage.name });
  const start = clock();
  const { result, files } = await stage.run();
  const record: StageRecord<Result> = {
    format: "distillate-stage",
    version: 1,
    stage: stage.name,
    key,
    seconds: Math.round(clock() - start) / 1000,
    outputs: await Promise.all(files.map((path) => describe(stage.directory, path))),
    result,
  };
  await writeFileAtomic(join(stage.directory, RECORD), `${JSON.stringify(record, null, 2)}\n`);
  await rm(pendingPath, { force: true });
  onEvent({ kind: "stage-done", stage: stage.name, seconds: record.seconds });
  return { record, cached: false };
}

/** SHA-256 of one output of a finished stage, for the keys of the stages that read it. */
export function outputHash(record: StageRecord<unknown>, path: string): string {
  const output = record.outputs.find((candidate) => candidate.path === path);
  if (output === undefined) throw new Error(`stage ${record.stage} has no output ${path}`);
  return output.sha256;
}

async function checkOutputs(stage: Stage<unknown>, record: StageRecord<unknown>): Promise<void> {
  for (const expected of record.outputs) {
    const found = await describe(stage.directory, expected.path).catch(() => undefined);
    if (found?.sha256 === expected.sha256) continue;
    const path = join(stage.directory, expected.path);
    throw new DistillateError({
      code: "stage-output-corrupted",
      message:
        found === undefined
          ? `${path} is gone, but ${RECORD} beside it says that stage ${stage.name} wrote it`
          : `${path} has SHA-256 ${found.sha256} (${found.bytes} bytes), expected ${expected.sha256} (${expected.bytes} bytes)`,
      hint: `Put the file back, or delete ${stage.directory} and run again: only this stage and what depends on it is redone.`,
    });
  }
}

async function describe(directory: string, path: string): Promise<StageOutput> {
  const content = await readFile(join(directory, path));
  return { path, bytes: content.byteLength, sha256: sha256(content) };
}

async function readRecord<Result>(directory: string): Promise<StageRecord<Result> | undefined> {
  const record = await readJson<StageRecord<Result>>(join(directory, RECORD));
  return record?.format === "distillate-stage" && record.version === 1 ? record : undefined;
}

async function readJson<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
