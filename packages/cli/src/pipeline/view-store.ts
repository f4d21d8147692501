/** What a teacher said of augmented images: a file a view in the teacher's directory, named by all that decides its content. */
import { join } from "node:path";
import type { AugmentConfig, ViewStore } from "@distillate/train";
import { contentKey } from "./content-hash.ts";
import { readHalfLogits, readLogits, writeHalfLogits, writeLogits } from "./logits-file.ts";

/** Which logits they are. */
export interface ViewedLogits {
  readonly classes: number;
  /** What decides them beside the views: the teacher, the images. */
  readonly of: readonly (string | number)[];
}

/** The views of one teacher; trainings at once may write the same file, as each writes it whole and with the same content. */
export function viewStoreIn(directory: string, augment: AugmentConfig, { classes, of }: ViewedLogits): ViewStore {
  const { shift, flip, erase, colour, views } = augment;
  const half = views?.float16 ?? false;
  const fileOf = (view: { readonly seed: number; readonly epoch: number }): string => {
    const key = contentKey({ of, changes: { shift, flip, erase, colour }, seed: view.seed, view: view.epoch });
    return join("views", `${key.slice(0, 32)}.${half ? "f16" : "f32"}`);
  };
  return {
    read: (view) =>
      (half ? readHalfLogits : readLogits)(join(directory, fileOf(view)), classes).catch(
        (error: NodeJS.ErrnoException) => {
          if (error.code === "ENOENT") return undefined;
          throw error;
        },
      ),
    write: (view, logits) => (half ? writeHalfLogits : writeLogits)(directory, fileOf(view), logits),
  };
}
