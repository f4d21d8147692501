/** The stage teacher, for one that is there already: looked at, asked about all images once, and written down. */
import { basename, join, resolve } from "node:path";
import {
  accuracyOf,
  type BroughtTeacherConfig,
  bringTeacher,
  fingerprintOf,
  isAugmenting,
  splitTrainValidation,
  writeFileAtomic,
} from "@distillate/train";
import { TOOL_VERSION } from "../version.ts";
import type { PipelineContext } from "./context.ts";
import { logitsBytes, TEST_LOGITS, TRAIN_LOGITS } from "./logits-file.ts";
import { outputHash, runStage } from "./stage.ts";
import type { Trained } from "./train-stages.ts";
import type { TrainingOutcome } from "./training-task.ts";

/** What the stage says about the teacher, in its directory. */
const FILE = "teacher.json";

/** Brings a teacher in; what its checks find wrong stops the run before anything is trained. */
export async function bringIn(
  { run, config, engine, data, onEvent, clock }: PipelineContext,
  teacher: BroughtTeacherConfig,
): Promise<Trained> {
  const directory = run.at("teacher");
  const keepsTrainLogits = !isAugmenting(config.student.training.augment);
  const fingerprint = await fingerprintOf(resolve(teacher.from));
  const { record, cached } = await runStage<TrainingOutcome>(
    { onEvent, clock },
    {
      name: "teacher",
      directory,
      inputs: {
        tool: TOOL_VERSION,
        engine: [engine.name, engine.version],
        data: data.hash,
        validation: config.data.validation,
        splitSeed: config.seeds[0],
        teacher,
        fingerprint,
        keepsTrainLogits,
      },
      run: async () => {
        const { validation } = splitTrainValidation(data.train.classes, config.data.validation, config.seeds[0]!);
        const brought = await bringTeacher(teacher, { labels: data.labels, images: data.train, validation });
        const { classifier, preprocess, notes } = brought;
        try {
          for (const note of notes) onEvent({ kind: "note", ...note });
          const validated = await brought.logits(data.train, validation);
          const validationAccuracy = accuracyOf(validated, data.train.classes, validation);
          await writeFileAtomic(join(directory, TEST_LOGITS), logitsBytes(await brought.logits(data.test)));
          if (keepsTrainLogits) {
            await writeFileAtomic(join(directory, TRAIN_LOGITS), logitsBytes(await brought.logits(data.train)));
          }
          const { format, bytes, parameters } = classifier;
          const facts = { file: basename(teacher.from), format, fingerprint, bytes, parameters, preprocess, notes };
          await writeFileAtomic(
            join(directory, FILE),
            `${JSON.stringify({ ...facts, validationAccuracy }, null, 2)}\n`,
          );
          return {
            result: { ...(parameters !== undefined && { parameters }), bytes, epoch: 0, validationAccuracy },
            files: [FILE, TEST_LOGITS, ...(keepsTrainLogits ? [TRAIN_LOGITS] : [])],
          };
        } finally {
          classifier.dispose();
        }
      },
    },
  );
  return { role: "teacher", seed: config.seeds[0]!, directory, record, hash: outputHash(record, FILE), cached };
}
