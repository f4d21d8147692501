/** Teachers that are there already: looked at and written down; or what they said, read. */
import { basename, join, resolve } from "node:path";
import {
  accuracyOf,
  type BringPlan,
  bringTeacher,
  checkAccuracy,
  fingerprintOf,
  type Logits,
  learningSetOf,
  readTable,
  type TablePlan,
  writeFileAtomic,
} from "@distillate/train";
import { TOOL_VERSION } from "../version.ts";
import { sha256 } from "./content-hash.ts";
import type { PipelineContext } from "./context.ts";
import { logitsBytes, TEST_LOGITS, TRAIN_LOGITS, VALIDATION_LOGITS, writeLogits } from "./logits-file.ts";
import { runStage, type StageOutcome } from "./stage.ts";
import type { TrainingOutcome } from "./training-task.ts";

/** What the stage says about the teacher, in its directory; its hash is that of what the teacher says. */
export const TEACHER_FILE = "teacher.json";

/** Brings a teacher in; what its checks find wrong stops the run before anything is trained. */
export async function bringIn(
  { config, engine, data, onEvent, clock }: PipelineContext,
  { id, teacher }: BringPlan,
  directory: string,
): Promise<StageOutcome<TrainingOutcome>> {
  const fingerprint = await fingerprintOf(resolve(teacher.from));
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
        splitSeed: config.seeds[0],
        teacher,
        fingerprint,
      },
      run: async () => {
        const { validation } = learningSetOf(data, config);
        const brought = await bringTeacher(teacher, { labels: data.labels, images: data.train, validation });
        const { classifier, preprocess, notes } = brought;
        try {
          for (const note of notes) onEvent({ kind: "note", ...note });
          const validated = await brought.logits(data.train, validation);
          const validationAccuracy = accuracyOf(validated, data.train.classes, validation);
          await writeLogits(directory, TEST_LOGITS, await brought.logits(data.test));
          await writeLogits(directory, VALIDATION_LOGITS, validated);
          const { format, bytes, parameters } = classifier;
          const facts = { file: basename(teacher.from), format, fingerprint, bytes, parameters, preprocess, notes };
          await writeFacts(directory, { ...facts, validationAccuracy });
          return {
            result: { ...(parameters !== undefined && { parameters }), bytes, epoch: 0, validationAccuracy },
            files: [TEACHER_FILE, TEST_LOGITS, VALIDATION_LOGITS],
          };
        } finally {
          classifier.dispose();
        }
      },
    },
  );
}

/**
 * Reads in what a teacher said.
 *
 * @throws DistillateError as `readTable`; `table-data` when it was made from other data, `teacher-too-weak` when its rows or columns
 * cannot be those of these images.
 */
export async function readIn(
  { config, data, onEvent, clock }: PipelineContext,
  { id, teacher }: TablePlan,
  directory: string,
): Promise<StageOutcome<TrainingOutcome>> {
  const { images, validation } = learningSetOf(data, config);
  const { labels, test: testImages, hash } = data;
  const { train, test, files, bytes } = await readTable(teacher, { labels, images, test: testImages, hash });
  const tables = [train, test].map(({ logits }) => sha256(logitsBytes(logits)));
  return runStage<TrainingOutcome>(
    { onEvent, clock },
    {
      name: id,
      directory,
      inputs: {
        tool: TOOL_VERSION,
        data: data.hash,
        validation: config.data.validation,
        splitSeed: config.seeds[0],
        tables,
      },
      run: async () => {
        const notes = [...train.notes, ...test.notes];
        for (const note of notes) onEvent({ kind: "note", ...note });
        const validated = rowsAt(train.logits, validation);
        const validationAccuracy = accuracyOf(validated, data.train.classes, validation);
        checkAccuracy(teacher.logits.train, validationAccuracy, validation.length, data.labels.length);
        await writeLogits(directory, TEST_LOGITS, test.logits);
        await writeLogits(directory, VALIDATION_LOGITS, validated);
        await writeLogits(directory, TRAIN_LOGITS, train.logits);
        await writeFacts(directory, { files, bytes, tables, notes, validationAccuracy });
        return {
          result: { bytes, epoch: 0, validationAccuracy },
          files: [TEACHER_FILE, TEST_LOGITS, VALIDATION_LOGITS, TRAIN_LOGITS],
        };
      },
    },
  );
}

async function writeFacts(directory: string, facts: object): Promise<void> {
  await writeFileAtomic(join(directory, TEACHER_FILE), `${JSON.stringify(facts, null, 2)}\n`);
}

function rowsAt({ classes, values }: Logits, rows: Uint32Array): Logits {
  const taken = new Float32Array(rows.length * classes);
  for (const [i, row] of rows.entries()) taken.set(values.subarray(row * classes, (row + 1) * classes), i * classes);
  return { classes, values: taken };
}
