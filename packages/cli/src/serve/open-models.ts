/** From what a command line names to the models of a page. */
import { readFile, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { DistillateError, parseManifest } from "@distillate/bundle";
import { isBundle, openBundle } from "../commands/model-files.ts";
import { TEACHER_FILE } from "../pipeline/bring-stage.ts";
import { teacherBundle } from "./teacher-bundle.ts";

/** One bundle of a page. */
export interface ServedBundle {
  readonly title: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/**
 * Opens bundles and run directories; of a run its teacher too, first, where it was trained there; where not, `onNote` says so.
 *
 * @throws DistillateError `bundle-missing`, or as `openBundle`.
 */
export async function openModels(
  paths: readonly string[],
  onNote: (message: string) => void,
): Promise<readonly ServedBundle[]> {
  const opened: ServedBundle[] = [];
  for (const path of paths.map((each) => resolve(each))) {
    if (await isBundle(path)) {
      // The bundle of a run lies beside its teacher.
      if (basename(path) === "bundle") opened.push(...(await teacherOf(resolve(path, ".."), onNote)));
      opened.push(await fromDirectory(path));
    } else if (await isBundle(join(path, "bundle"))) {
      opened.push(...(await teacherOf(path, onNote)), await fromDirectory(join(path, "bundle")));
    } else {
      throw new DistillateError({
        code: "bundle-missing",
        message: `${path} is neither a bundle nor a run with one: no manifest.json in it or in its bundle/`,
        hint: "Give runs/NAME of a finished run, or the directory of a bundle.",
      });
    }
  }
  return opened;
}

async function fromDirectory(directory: string): Promise<ServedBundle> {
  const { manifest, files } = await openBundle(directory);
  const text = await readFile(join(directory, "manifest.json"));
  return { title: manifest.id, files: new Map([...files, ["manifest.json", text]]) };
}

async function teacherOf(run: string, onNote: (message: string) => void): Promise<readonly ServedBundle[]> {
  const directory = join(run, "teacher");
  const isThere = (file: string): Promise<boolean> =>
    stat(join(directory, file)).then(
      () => true,
      () => false,
    );
  if (!(await isThere("checkpoint.json"))) {
    if (await isThere(TEACHER_FILE)) {
      onNote(
        `the teacher of ${basename(run)} is not shown: it was not trained there, but brought along, or several speak as one`,
      );
    }
    return [];
  }
  const { id } = parseManifest(await readFile(join(run, "bundle/manifest.json"), "utf8"));
  return [{ title: `${id}: teacher`, files: await teacherBundle(directory, `${id.slice(0, 55)}-teacher`) }];
}
