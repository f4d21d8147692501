/** A manifest's signature: Ed25519 over its exact bytes. The manifest names every file's hash, so it vouches for all of them. */
import { DistillateError } from "@distillate/bundle";

/**
 * Checks a signature.
 *
 * @param publicKey the 32 bytes of the key, base64.
 * @throws DistillateError `signature-invalid`, also where this browser cannot check it.
 */
export async function verifySignature(
  manifest: string,
  signature: string | undefined,
  publicKey: string,
): Promise<void> {
  if (signature === undefined) throw invalid("the bundle has no manifest.json.sig");
  let ok: boolean;
  try {
    const { subtle } = globalThis.crypto;
    const key = await subtle.importKey("raw", fromBase64(publicKey), "Ed25519", false, ["verify"]);
    ok = await subtle.verify("Ed25519", key, fromBase64(signature), new TextEncoder().encode(manifest));
  } catch (cause) {
    throw invalid(`it cannot be checked here: ${(cause as Error).message}`, cause);
  }
  if (!ok) throw invalid("manifest.json is not what the owner of the key signed");
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.trim()), (character) => character.charCodeAt(0));
}

function invalid(found: string, cause?: unknown): DistillateError {
  return new DistillateError({
    code: "signature-invalid",
    message: `the model's signature does not hold: ${found}`,
    hint: "Do not use this bundle; get it again from its owner, with the public key that belongs to it.",
    cause,
  });
}
