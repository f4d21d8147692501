import { DistillateError } from "./errors.ts";

/** A file as a manifest names it: where it is, relative to the manifest, and what it must be. */
export interface FileRef {
  readonly path: string;
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** SHA-256 of bytes in lower-case hex: by WebCrypto, or in JavaScript where a page has none (plain http on a local network). */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  const subtle: typeof crypto.subtle | undefined = globalThis.crypto?.subtle;
  const digest = subtle
    ? new Uint8Array(await subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>))
    : (await import("@noble/hashes/sha2.js")).sha256(bytes);
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Checks bytes against what a manifest says of them, before anything uses them.
 *
 * @throws DistillateError `file-corrupted` when size or hash differ.
 */
export async function verifyFile(bytes: Uint8Array, expected: FileRef): Promise<void> {
  const found = bytes.byteLength === expected.bytes ? `SHA-256 ${await sha256Hex(bytes)}` : `${bytes.byteLength} bytes`;
  if (found === `SHA-256 ${expected.sha256}`) return;
  throw new DistillateError({
    code: "file-corrupted",
    message: `${expected.path} has ${found}, expected ${expected.bytes} bytes with SHA-256 ${expected.sha256}`,
    hint: "Fetch or copy the bundle again; its files belong together.",
  });
}
