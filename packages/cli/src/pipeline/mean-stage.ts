/** Several teachers as one, for the report: students ask each of them. The mean is of their logits, by weight. */
import { join } from "node:path";
import { accuracyOf, type Logits, learningSetOf, type MeanPlan, writeFileAtomic } from "@distillate/train";
import { TOOL_VERSION } from "../version.ts";
import { TEACHER_FILE } from "./bring-stage.ts";
import type { PipelineContext } from "./context.ts";
import { readLogits, TEST_LOGITS, VALIDATION_LOGITS, writeLogits } from "./logits-file.ts";
import { runStage, type StageOutcome } from "./stage.ts";
import type { Trained } from "./train-stages.ts";
import type { TrainingOutcome } from "./training-task.ts";

/** A teacher and how much its word counts. */
export interface Member {
  readonly trained: Trained;
  readonly weight: number;
}

/** Writes down what several teachers say together. */
export async function takeMean(
  { config, data, onEvent, clock }: PipelineContext,
  { id }: MeanPlan,
  directory: string,
  members: readonly Member[],
): Promise<StageOutcome<TrainingOutcome>> {
  const of = members.map(({ trained, weight }) => ({ id: trained.id, hash: trained.hash, weight }));
  return runStage<TrainingOutcome>(
    { onEvent, clock },
    {
      name: id,
      directory,
      inputs: { tool: TOOL_VERSION, data: data.hash, validation: config.data.validation, of },
      run: async () => {
        const said = (file: string): Promise<Logits> =>
          Promise.all(
            members.map(async ({ trained, weight }) => ({
              weight,
              logits: await readLogits(join(trained.directory, file), data.labels.length),
            })),
          ).then(meanOf);
        await writeLogits(directory, TEST_LOGITS, await said(TEST_LOGITS));
        const { validation } = learningSetOf(data, config);
        const validationAccuracy = accuracyOf(await said(VALIDATION_LOGITS), data.train.classes, validation);
        await writeFileAtomic(
          join(directory, TEACHER_FILE),
          `${JSON.stringify({ mean: of, validationAccuracy }, null, 2)}\n`,
        );
        const results = members.map(({ trained }) => trained.record.result);
        const parameters = results.reduce((sum, result) => sum + (result.parameters ?? Number.NaN), 0);
        const bytes = results.reduce((sum, result) => sum + result.bytes, 0);
        return {
          result: { ...(Number.isFinite(parameters) && { parameters }), bytes, epoch: 0, validationAccuracy },
          files: [TEACHER_FILE, TEST_LOGITS],
        };
      },
    },
  );
}

function meanOf(said: readonly { readonly logits: Logits; readonly weight: number }[]): Logits {
  const total = said.reduce((sum, { weight }) => sum + weight, 0);
  const values = new Float32Array(said[0]!.logits.values.length);
  for (const { logits, weight } of said) {
    for (const [i, value] of logits.values.entries()) values[i]! += (value * weight) / total;
  }
  return { classes: said[0]!.logits.classes, values };
}
