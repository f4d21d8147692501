/**
 * A bundle in one `.zip`. Archives are foreign bytes: names, counts and sizes are checked before anything is unpacked.
 * Imported when there is an archive to open: most pages never need it.
 */
import { DistillateError, isPlainRelativePath, LIMITS } from "@distillate/bundle";
import { unzipSync } from "fflate";
import type { Entries } from "./entries.ts";

/** A bundle has a manifest, a probe and a file a variant. */
const MAX_ENTRIES = 256;
const MAX_TOTAL = 512 * 1024 * 1024;

/**
 * Unpacks an archive in memory.
 *
 * @throws DistillateError `archive-invalid` for what is no zip, is too large unpacked, or names files outside of itself.
 */
export function openArchive(name: string, bytes: Uint8Array): Entries {
  let count = 0;
  let total = 0;
  let refusal: DistillateError | undefined;
  const accept = (entry: { readonly name: string; readonly originalSize: number }): boolean => {
    count++;
    total += entry.originalSize;
    const directory = entry.name.endsWith("/");
    if (!isPlainRelativePath(directory ? entry.name.slice(0, -1) : entry.name)) {
      refusal ??= invalid(name, `names a file outside of itself: ${JSON.stringify(entry.name.slice(0, 100))}`);
    }
    if (count > MAX_ENTRIES) refusal ??= invalid(name, `has more than ${MAX_ENTRIES} files`);
    if (entry.originalSize > LIMITS.fileBytes || total > MAX_TOTAL) {
      refusal ??= invalid(name, `unpacks to more than ${MAX_TOTAL} bytes`);
    }
    return refusal === undefined && !directory;
  };
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(bytes, { filter: accept });
  } catch (cause) {
    throw refusal ?? invalid(name, `cannot be unpacked: ${(cause as Error).message}`, cause);
  }
  if (refusal) throw refusal;
  return new Map(Object.entries(files).map(([path, content]) => [path, async () => content]));
}

function invalid(name: string, found: string, cause?: unknown): DistillateError {
  return new DistillateError({
    code: "archive-invalid",
    message: `the archive ${name} ${found}`,
    hint: "Use the `.zip` that `distillate pack` makes of a bundle, unchanged.",
    cause,
  });
}
