/** The stage quantize-aware: the chosen student, fine-tuned to be rounded; what follows exports that. */
import { CHECKPOINT_FILES, type LearntRange, lastGuided, planNetworks } from "@distillate/train";
import type { PipelineEvent } from "../events.ts";
import { TOOL_VERSION } from "../version.ts";
import { runInChild } from "./child-process.ts";
import type { PipelineContext } from "./context.ts";
import { TEST_LOGITS } from "./logits-file.ts";
import type { QuantizeAwareOutcome, TriedTemperature } from "./quantize-aware-job.ts";
import type { QuantizeAwareTask } from "./quantize-aware-task.ts";
import { outputHash, runStage } from "./stage.ts";
import { speakersFor, type Trained } from "./train-stages.ts";

/** The network that is exported. */
export interface Shipped {
  readonly network: Trained;
  /** Where it was fine-tuned: the ranges to write. */
  readonly ranges?: readonly LearntRange[];
  /** Of its fine-tuning, where temperatures were tried: each, in the order that they were given in. */
  readonly tried?: readonly TriedTemperature[];
}

/** Fine-tunes the student where the configuration asks for it, by those it learned from; else it is shipped as it is. */
export async function makeQuantizeAware(
  context: PipelineContext,
  student: Trained,
  trained: readonly Trained[],
): Promise<Shipped> {
  const { run, config, engine, data, onEvent, signal } = context;
  const tuning = config.student.quantizeAware;
  if (tuning === undefined) return { network: student };
  const directory = run.at("quantize-aware");
  const plans = planNetworks(config);
  const plan = lastGuided(student.id, plans);
  const speakers = speakersFor(plan, plans, new Map(trained.map((network) => [network.id, network])));
  const { seed } = student;
  const { record, cached } = await runStage<QuantizeAwareOutcome>(context, {
    name: "quantize-aware",
    directory,
    inputs: {
      tool: TOOL_VERSION,
      engine: [engine.name, engine.version],
      data: data.hash,
      validation: config.data.validation,
      labelled: config.data.labelled,
      splitSeed: config.seeds[0],
      seed,
      student: student.hash,
      speakers: speakers.map(({ hash, weight }) => [hash, weight]),
      distill: plan.distill,
      training: config.student.training,
      tuning,
    },
    run: async () => {
      const task: QuantizeAwareTask = {
        config,
        tuning,
        engine: engine.name,
        seed,
        directory,
        student: student.directory,
        plan,
        speakers,
      };
      const module = new URL(`./quantize-aware-job${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
      const result = await runInChild<QuantizeAwareTask, PipelineEvent, QuantizeAwareOutcome>(module, task, {
        onEvent,
        signal,
      });
      return { result, files: [...CHECKPOINT_FILES, TEST_LOGITS] };
    },
  });
  const network: Trained = { ...student, directory, record, hash: outputHash(record, "weights.bin"), cached };
  const { ranges, tried } = record.result;
  return { network, ranges, ...(tried && { tried }) };
}
