/** Everything that a page can call a bundle. */
import { DistillateError } from "@distillate/bundle";
import type { Files } from "../files.ts";
import { type Entries, entriesSource } from "./entries.ts";
import { type BundleSource, MANIFEST, SIGNATURE } from "./source.ts";
import { urlSource } from "./url.ts";

/** An address, the bytes of an archive, an archive's file, the files of a bundle directory, or its handle. */
export type SourceInput =
  | string
  | URL
  | Uint8Array
  | ArrayBuffer
  | Blob
  | readonly File[]
  | FileList
  | FileSystemDirectoryHandle;

/** @throws DistillateError `source-unsupported` for anything else. */
export async function openSource(input: SourceInput, files: Files): Promise<BundleSource> {
  if (typeof input === "string" || input instanceof URL) return urlSource(input, files);
  if (input instanceof Uint8Array) return archive("in memory", input);
  if (input instanceof ArrayBuffer) return archive("in memory", new Uint8Array(input));
  if (input instanceof Blob)
    return archive((input as File).name ?? "in memory", new Uint8Array(await input.arrayBuffer()));
  if (typeof input === "object" && input !== null && "length" in input) return directory(Array.from(input));
  if ((input as FileSystemDirectoryHandle | null)?.kind === "directory") return handleSource(input);
  throw new DistillateError({
    code: "source-unsupported",
    message: `a model cannot be loaded from ${Object.prototype.toString.call(input)}`,
    hint: "Pass the address of a manifest.json or .zip, a File, the files of a directory, or the bytes of an archive.",
  });
}

async function archive(name: string, bytes: Uint8Array): Promise<BundleSource> {
  const { openArchive } = await import("./archive.ts");
  return entriesSource(name, openArchive(name, bytes));
}

function directory(list: readonly File[]): BundleSource {
  const entries: Entries = new Map(
    list.map((file) => [file.webkitRelativePath || file.name, async () => new Uint8Array(await file.arrayBuffer())]),
  );
  return entriesSource(`${list.length} files`, entries);
}

/** Files are opened when they are asked for: a directory may hold much else. */
function handleSource(root: FileSystemDirectoryHandle): BundleSource {
  const read = async (path: string): Promise<Uint8Array> => {
    const folders = path.split("/");
    const name = folders.pop()!;
    let place = root;
    for (const folder of folders) place = await place.getDirectoryHandle(folder);
    return new Uint8Array(await (await (await place.getFileHandle(name)).getFile()).arrayBuffer());
  };
  const missing = (path: string) => (cause: unknown) => {
    throw new DistillateError({
      code: "file-missing",
      message: `the directory ${root.name || "that was picked"} has no ${path} that can be read`,
      hint: "Pick the bundle's own directory, the one with manifest.json in it.",
      cause,
    });
  };
  return {
    name: root.name,
    manifest: async () => new TextDecoder().decode(await read(MANIFEST).catch(missing(MANIFEST))),
    signature: () =>
      read(SIGNATURE).then(
        (bytes) => new TextDecoder().decode(bytes),
        () => undefined,
      ),
    origin: ({ path }) => ({ read: () => read(path).catch(missing(path)) }),
  };
}
