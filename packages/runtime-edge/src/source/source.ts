/** Where a bundle comes from: an address, an archive, files at hand, a directory. */
import type { FileRef } from "@distillate/bundle";
import type { FileOrigin } from "../files.ts";

/** A bundle before anything of it is trusted. */
export interface BundleSource {
  /** For messages. */
  readonly name: string;
  /** The address that can be asked again for news; absent for files at hand. */
  readonly url?: string;
  /** The text of manifest.json. */
  manifest(signal: AbortSignal): Promise<string>;
  /** The manifest's signature, base64; absent where there is none. */
  signature(signal: AbortSignal): Promise<string | undefined>;
  origin(ref: FileRef): FileOrigin;
}

/** The entry point of every bundle, and the name of its optional signature. */
export const MANIFEST = "manifest.json";
export const SIGNATURE = "manifest.json.sig";

const ZIP_MAGIC = [0x50, 0x4b, 0x03, 0x04];

/** Tells an archive by its first bytes. */
export function isArchive(bytes: Uint8Array): boolean {
  return ZIP_MAGIC.every((byte, i) => bytes[i] === byte);
}
