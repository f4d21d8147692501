import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { readLayersModel } from "../../checkpoint.ts";

/** SHA-256 over everything that makes a brought teacher what it is: an .onnx file, or a model.json with its weights. */
export async function fingerprintOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  const main = await readFile(path);
  hash.update(main);
  if (!path.endsWith(".onnx")) hash.update((await readLayersModel(path)).weightData);
  return hash.digest("hex");
}
