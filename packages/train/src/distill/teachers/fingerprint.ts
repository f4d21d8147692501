import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { DistillateError } from "@distillate/bundle";
import { readTfjsModel } from "../../read-tfjs-model.ts";

/**
 * SHA-256 over everything that makes a brought teacher what it is: an .onnx file, or a model.json with its weights.
 *
 * @throws DistillateError `teacher-unusable` for a file that cannot be read, or as `readTfjsModel`.
 */
export async function fingerprintOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  const main = await readFile(path).catch((cause: unknown) => {
    throw new DistillateError({
      code: "teacher-unusable",
      message: `${path} cannot be read as the teacher (${(cause as NodeJS.ErrnoException).code})`,
      hint: "Give the path of an .onnx file, or of the model.json of a tfjs model.",
      cause,
    });
  });
  hash.update(main);
  if (!path.endsWith(".onnx")) hash.update((await readTfjsModel(path)).weightData);
  return hash.digest("hex");
}
