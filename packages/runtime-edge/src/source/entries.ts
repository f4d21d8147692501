/** A bundle whose files are all at hand: members of an archive, or files that a user picked. */
import { DistillateError } from "@distillate/bundle";
import { type BundleSource, MANIFEST, SIGNATURE } from "./source.ts";

/** Files by name; a folder around all of them is taken off. */
export type Entries = ReadonlyMap<string, () => Promise<Uint8Array>>;

/** @throws DistillateError `bundle-incompatible` when there is no manifest.json among them. */
export function entriesSource(name: string, entries: Entries): BundleSource {
  const manifest = [...entries.keys()]
    .filter((path) => path === MANIFEST || path.endsWith(`/${MANIFEST}`))
    .sort(byLength)[0];
  if (manifest === undefined) {
    throw new DistillateError({
      code: "bundle-incompatible",
      message: `${name} has ${entries.size} files, none of them ${MANIFEST}`,
      hint: "Pass the whole bundle directory, or the archive that `distillate pack` made of it.",
    });
  }
  const folder = manifest.slice(0, -MANIFEST.length);
  const read = async (path: string): Promise<Uint8Array> => {
    const entry = entries.get(folder + path);
    if (entry) return entry();
    throw new DistillateError({
      code: "file-missing",
      message: `${name} has no ${path}, which its manifest names`,
      hint: "Pass all files of the bundle together.",
    });
  };
  const text = async (path: string): Promise<string> => new TextDecoder().decode(await read(path));
  return {
    name,
    manifest: () => text(MANIFEST),
    signature: async () => (entries.has(folder + SIGNATURE) ? text(SIGNATURE) : undefined),
    origin: ({ path }) => ({ read: () => read(path) }),
  };
}

function byLength(a: string, b: string): number {
  return a.length - b.length;
}
