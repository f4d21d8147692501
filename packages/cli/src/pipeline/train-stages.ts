/** The stages teacher, baseline and student: each network in its own process, as many at once as there are slots. */
import { CHECKPOINT_FILES, isAugmenting, isBrought, type Role } from "@distillate/train";
import type { PipelineEvent } from "../events.ts";
import { TOOL_VERSION } from "../version.ts";
import { bringIn } from "./bring-stage.ts";
import { runInChild } from "./child-process.ts";
import type { PipelineContext } from "./context.ts";
import { TEST_LOGITS, TRAIN_LOGITS } from "./logits-file.ts";
import { type Job, runJobs } from "./schedule-jobs.ts";
import { outputHash, runStage, type StageRecord } from "./stage.ts";
import type { TrainingOutcome, TrainingTask } from "./training-task.ts";

/** A trained network: where its files are and what its stage recorded. */
export interface Trained {
  readonly role: Role;
  readonly seed: number;
  readonly directory: string;
  readonly record: StageRecord<TrainingOutcome>;
  /** SHA-256 of what decides everything it says: its weights. */
  readonly hash: string;
  readonly cached: boolean;
}

/** Two networks train side by side on the wasm engine, which uses one core; a native engine uses all cores itself. */
const WASM_SLOTS = 2;

const ROLES: readonly Role[] = ["teacher", "baseline", "student"];

/** Trains the teacher, then a baseline and a distilled student for every seed; baselines run beside the teacher. */
export async function trainNetworks(
  context: PipelineContext,
  roles: readonly Role[] = ROLES,
): Promise<readonly Trained[]> {
  const { config, engine } = context;
  const done = new Map<string, Trained>();
  const job = (role: Role, seed: number, after: readonly string[] = []): Job<Trained> => {
    const id = role === "teacher" ? role : `${role}/seed-${seed}`;
    return {
      id,
      after,
      start: async () => {
        const trained =
          role === "teacher" && isBrought(config.teacher)
            ? await bringIn(context, config.teacher)
            : await trainOne(context, id, role, seed, role === "student" ? done.get("teacher") : undefined);
        done.set(id, trained);
        return trained;
      },
    };
  };
  const jobs = [
    job("teacher", config.seeds[0]!),
    ...config.seeds.map((seed) => job("baseline", seed)),
    ...(roles.includes("student") ? config.seeds.map((seed) => job("student", seed, ["teacher"])) : []),
  ];
  const results = await runJobs(jobs, engine.name === "wasm" ? WASM_SLOTS : 1);
  return jobs.map(({ id }) => results.get(id)!);
}

async function trainOne(
  { run, config, engine, data, onEvent, signal, clock }: PipelineContext,
  id: string,
  role: Role,
  seed: number,
  teacher: Trained | undefined,
): Promise<Trained> {
  const directory = run.at(id);
  // Fine-tuning comes behind: with or without it a student is the same.
  const { quantizeAware: _later, ...alone } = config.student;
  const part = role === "teacher" ? config.teacher : alone;
  const keepsTrainLogits = role === "teacher" && !isAugmenting(config.student.training.augment);
  const { record, cached } = await runStage<TrainingOutcome>(
    { onEvent, clock },
    {
      name: id,
      directory,
      inputs: {
        tool: TOOL_VERSION,
        engine: [engine.name, engine.version],
        data: data.hash,
        validation: config.data.validation,
        labelled: config.data.labelled,
        splitSeed: config.seeds[0],
        seed,
        part,
        ...(role === "teacher" && { keepsTrainLogits }),
        ...(teacher && { distill: config.distill, teacher: teacher.hash }),
      },
      run: async () => {
        const task: TrainingTask = {
          job: id,
          role,
          seed,
          config,
          engine: engine.name,
          directory,
          ...(teacher && { teacher: teacher.directory }),
        };
        const module = new URL(`./training-job${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
        const result = await runInChild<TrainingTask, PipelineEvent, TrainingOutcome>(module, task, {
          onEvent,
          signal,
        });
        return { result, files: [...CHECKPOINT_FILES, TEST_LOGITS, ...(keepsTrainLogits ? [TRAIN_LOGITS] : [])] };
      },
    },
  );
  return { role, seed, directory, record, hash: outputHash(record, "weights.bin"), cached };
}
