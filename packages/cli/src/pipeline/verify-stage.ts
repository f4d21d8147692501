/** The stage verify: both files in onnxruntime on the whole test part, against tfjs and against each other. */
import { join } from "node:path";
import type { ExportReport } from "@distillate/export";
import { accuracyOf, type Logits, readCheckpoint, writeFileAtomic } from "@distillate/train";
import type { Check } from "../report/run-report.ts";
import { TOOL_VERSION } from "../version.ts";
import type { PipelineContext } from "./context.ts";
import { type Exported, VARIANT_FILES, type VariantId } from "./export-stages.ts";
import { logitsBytes, readLogits, TEST_LOGITS } from "./logits-file.ts";
import { NODE_RUNTIME } from "./node-runner.ts";
import { onnxLogits } from "./onnx-logits.ts";
import { runStage } from "./stage.ts";
import type { Trained } from "./train-stages.ts";

const IDS = Object.keys(VARIANT_FILES) as readonly VariantId[];

/** Both files' outputs on the test part and what was held against a limit. */
export interface Verified {
  readonly logits: { readonly [Id in VariantId]: Logits };
  readonly checks: readonly Check[];
  /** Whether int8 keeps its accuracy; it is one of the checks. */
  readonly int8: Check;
}

/** Runs both files over the test images and checks them. */
export async function verifyStudent(
  context: PipelineContext,
  student: Trained,
  files: { readonly fp32: Exported<ExportReport>; readonly int8: Exported<unknown> },
): Promise<Verified> {
  const { run, config, data } = context;
  const directory = run.at("verify");
  const file = (id: VariantId): string => `${id}-${TEST_LOGITS}`;
  await runStage<null>(context, {
    name: "verify",
    directory,
    inputs: { tool: TOOL_VERSION, fp32: files.fp32.sha256, int8: files.int8.sha256, data: data.hash },
    run: async () => {
      const { info } = await readCheckpoint(student.directory);
      for (const id of IDS) {
        const logits = await onnxLogits(files[id].onnx, data.test, info.preprocess, data.labels.length);
        await writeFileAtomic(join(directory, file(id)), logitsBytes(logits));
      }
      return { result: null, files: IDS.map(file) };
    },
  });
  const classes = data.labels.length;
  const [tfjs, fp32, int8] = await Promise.all([
    readLogits(join(student.directory, TEST_LOGITS), classes),
    readLogits(join(directory, file("fp32")), classes),
    readLogits(join(directory, file("int8")), classes),
  ]);
  const drop = 100 * (accuracyOf(fp32, data.test.classes) - accuracyOf(int8, data.test.classes));
  const difference = fp32.values.reduce((worst, value, i) => Math.max(worst, Math.abs(value - tfjs.values[i]!)), 0);
  const transposes = files.fp32.report.ops.Transpose ?? 0;
  const int8Check: Check = {
    name: "points of accuracy that int8 loses against fp32",
    found: Number(drop.toFixed(4)),
    allowed: config.tolerance.int8Drop,
    ok: drop <= config.tolerance.int8Drop,
  };
  const checks: readonly Check[] = [
    {
      name: `largest difference of a logit between tfjs and ${NODE_RUNTIME} over ${data.test.count} test samples`,
      found: difference,
      allowed: config.tolerance.fp32,
      ok: difference <= config.tolerance.fp32,
    },
    { name: "Transpose nodes in the exported graph", found: transposes, allowed: 0, ok: transposes === 0 },
    int8Check,
  ];
  return { logits: { fp32, int8 }, checks, int8: int8Check };
}
