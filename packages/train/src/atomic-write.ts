import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { DistillateError } from "@distillate/bundle";

/**
 * Writes a file so that it is there whole or not at all: a temporary neighbour, flushed, then renamed over `path`. Parts are
 * written one after the other.
 *
 * @throws DistillateError `disk-full` or `out-not-writable`.
 */
export async function writeFileAtomic(
  path: string,
  content: Uint8Array | string | readonly Uint8Array[],
): Promise<void> {
  const draft = `${path}.${process.pid}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(draft, "w");
    try {
      for (const part of typeof content === "string" || content instanceof Uint8Array ? [content] : content) {
        await file.writeFile(part);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw writeError(path, error);
  }
}

/** Turns what the file system refuses into an error that says the way out; leaves anything else as it is. */
export function writeError(path: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new DistillateError({
      code: "disk-full",
      message: `no space left while writing ${path}`,
      hint: "Free some space, or write elsewhere with --out DIR; finished stages are kept and are not done again.",
      cause: error,
    });
  }
  if (code === "EACCES" || code === "EPERM" || code === "EROFS" || code === "ENOTDIR") {
    return new DistillateError({
      code: "out-not-writable",
      message: `cannot write ${path} (${code})`,
      hint: "Make the directory writable, or write elsewhere with --out DIR.",
      cause: error,
    });
  }
  return error;
}
