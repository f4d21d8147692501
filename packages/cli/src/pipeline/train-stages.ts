/**
 * The stages that end in a network: teachers, assistants, baselines, students and what follows them. Each trains in its own
 * process, as many at once as the machine has room for.
 */
import { CHECKPOINT_FILES, type NetworkPlan, planNetworks, type Role, type TrainPlan } from "@distillate/train";
import type { PipelineEvent } from "../events.ts";
import { TOOL_VERSION } from "../version.ts";
import { bringIn, readIn, TEACHER_FILE } from "./bring-stage.ts";
import { runInChild } from "./child-process.ts";
import type { PipelineContext } from "./context.ts";
import { LAST_TEST_LOGITS, TEST_LOGITS, VALIDATION_LOGITS } from "./logits-file.ts";
import { takeMean } from "./mean-stage.ts";
import { type Job, runJobs } from "./schedule-jobs.ts";
import { outputHash, runStage, type StageOutcome, type StageRecord } from "./stage.ts";
import { trainingSlots } from "./training-slots.ts";
import type { SpeakerTask, TrainingOutcome, TrainingTask } from "./training-task.ts";
import { needsOf, trainingWorkers } from "./training-workers.ts";

/** A finished network: where its files are and what its stage recorded. */
export interface Trained extends Pick<NetworkPlan, "id" | "group" | "role" | "title" | "seed" | "kind"> {
  readonly directory: string;
  readonly record: StageRecord<TrainingOutcome>;
  /** SHA-256 of what decides everything it says: its weights. */
  readonly hash: string;
  readonly cached: boolean;
}

/** Networks by the id of their plan. */
export type Networks = ReadonlyMap<string, Trained>;

const ROLES: readonly Role[] = ["teacher", "assistant", "baseline", "student"];

/** Makes the networks that a configuration plans, those with these roles: each after those it learns from. */
export async function trainNetworks(
  context: PipelineContext,
  roles: readonly Role[] = ROLES,
): Promise<readonly Trained[]> {
  const plans = planNetworks(context.config);
  const wanted = plans.filter(({ role }) => roles.includes(role));
  // A teacher that does not suit the data is found before anything is trained.
  const brought = wanted.filter(({ kind }) => kind === "bring" || kind === "table").map(({ id }) => id);
  const done = new Map<string, Trained>();
  const jobs = wanted.map(
    (plan): Job<Trained> => ({
      id: plan.id,
      after: plan.kind === "train" ? [...brought, ...needsOf(plan)] : needsOf(plan),
      start: async () => {
        const trained = await makeNetwork(context, plan, plans, done);
        done.set(plan.id, trained);
        return trained;
      },
    }),
  );
  const results = await runJobs(jobs, trainingSlots(context));
  return jobs.map(({ id }) => results.get(id)!);
}

/**
 * Makes one network.
 *
 * @param plans - All of its run.
 * @param networks - Those that it needs.
 */
export async function makeNetwork(
  context: PipelineContext,
  plan: NetworkPlan,
  plans: readonly NetworkPlan[],
  networks: Networks,
): Promise<Trained> {
  const directory = context.directoryOf(plan);
  const { id, group, role, title, seed, kind } = plan;
  const trained = ({ record, cached }: StageOutcome<TrainingOutcome>, file: string): Trained => {
    return { id, group, role, title, seed, kind, directory, record, hash: outputHash(record, file), cached };
  };
  switch (plan.kind) {
    case "bring":
      return trained(await bringIn(context, plan, directory), TEACHER_FILE);
    case "table":
      return trained(await readIn(context, plan, directory), TEACHER_FILE);
    case "mean": {
      const members = plan.of.map(({ id, weight }) => ({ trained: networks.get(id)!, weight }));
      return trained(await takeMean(context, plan, directory, members), TEACHER_FILE);
    }
    case "train":
      return trained(await trainOne(context, plan, directory, plans, networks), "weights.bin");
  }
}

/** Those whose word a network hears, as its process is told of them. */
export function speakersFor(
  { speakers }: Pick<TrainPlan, "speakers">,
  plans: readonly NetworkPlan[],
  networks: Networks,
): readonly SpeakerTask[] {
  return speakers.map(({ id, weight }) => {
    const { directory, hash } = networks.get(id)!;
    return { plan: plans.find((other) => other.id === id)!, directory, weight, hash };
  });
}

async function trainOne(
  context: PipelineContext,
  plan: TrainPlan,
  directory: string,
  plans: readonly NetworkPlan[],
  networks: Networks,
): Promise<StageOutcome<TrainingOutcome>> {
  const { config, engine, data, onEvent, signal, clock } = context;
  const { id, seed, network, distill, freeze } = plan;
  const speakers = speakersFor(plan, plans, networks);
  const from = plan.from === undefined ? undefined : networks.get(plan.from)!;
  return runStage<TrainingOutcome>(
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
        network,
        ...(speakers.length > 0 && { distill, speakers: speakers.map(({ hash, weight }) => [hash, weight]) }),
        ...(from && { from: from.hash, freeze }),
      },
      run: async () => {
        const task: TrainingTask = {
          plan,
          config,
          engine: engine.name,
          directory,
          workers: trainingWorkers(context, plan, plans),
          speakers,
          ...(from && { from: from.directory }),
        };
        const module = new URL(`./training-job${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
        const result = await runInChild<TrainingTask, PipelineEvent, TrainingOutcome>(module, task, {
          onEvent,
          signal,
        });
        return { result, files: [...CHECKPOINT_FILES, TEST_LOGITS, LAST_TEST_LOGITS, VALIDATION_LOGITS] };
      },
    },
  );
}
