/** A bundle at an address: its manifest.json, the directory that holds it, or an archive. */
import type { Files } from "../files.ts";
import { entriesSource } from "./entries.ts";
import { type BundleSource, isArchive, MANIFEST } from "./source.ts";

/** Nothing is fetched before it is asked for; an archive is fetched once. */
export function urlSource(address: string | URL, files: Files): BundleSource {
  const given = new URL(address, globalThis.location?.href);
  const url = given.pathname.endsWith("/") ? new URL(MANIFEST, given).href : given.href;
  let opened: Promise<BundleSource | string> | undefined;
  /** An archive, or the text of a manifest. */
  const open = (signal: AbortSignal): Promise<BundleSource | string> => {
    opened ??= files
      .fetch(url, signal)
      .then(async (bytes) =>
        isArchive(bytes)
          ? entriesSource(url, (await import("./archive.ts")).openArchive(url, bytes))
          : new TextDecoder().decode(bytes),
      );
    // A failure is not kept: the next one who asks tries again.
    opened.catch(() => {
      opened = undefined;
    });
    return opened;
  };
  const isZip = given.pathname.endsWith(".zip");
  return {
    name: url,
    url,
    async manifest(signal) {
      const found = await open(signal);
      return typeof found === "string" ? found : found.manifest(signal);
    },
    async signature(signal) {
      const found = await open(signal);
      return typeof found === "string"
        ? new TextDecoder().decode(await files.fetch(`${url}.sig`, signal))
        : found.signature(signal);
    },
    origin(ref) {
      if (!isZip) return { url: new URL(ref.path, url).href };
      return {
        read: async (signal) => {
          const found = await open(signal);
          const origin = (found as BundleSource).origin(ref);
          return "read" in origin ? origin.read(signal) : files.fetch(origin.url, signal);
        },
      };
    },
  };
}
