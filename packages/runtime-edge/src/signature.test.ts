import { isDistillateError } from "@distillate/bundle";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { verifySignature } from "./signature.ts";

const MANIFEST = '{"format":"distillate-bundle","version":1}\n';
let publicKey: string;
let signature: string;

function base64(bytes: ArrayBuffer | Uint8Array): string {
  return Buffer.from(bytes as Uint8Array).toString("base64");
}

beforeAll(async () => {
  const { subtle } = globalThis.crypto;
  const keys = (await subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
  publicKey = base64(await subtle.exportKey("raw", keys.publicKey));
  signature = base64(await subtle.sign("Ed25519", keys.privateKey, new TextEncoder().encode(MANIFEST)));
});

describe("signature", () => {
  test("the owner's signature holds, also with a newline at its end", async () => {
    await verifySignature(MANIFEST, signature, publicKey);
    await verifySignature(MANIFEST, `${signature}\n`, publicKey);
  });

  test("one other character of the manifest, one other bit of the signature, no signature: refused", async () => {
    const refused = (manifest: string, signed: string | undefined): Promise<void> =>
      expect(verifySignature(manifest, signed, publicKey)).rejects.toMatchObject({ code: "signature-invalid" });
    await refused(MANIFEST.replace("1", "2"), signature);
    await refused(MANIFEST, undefined);
    await fc.assert(
      fc.asyncProperty(fc.nat(63), fc.nat(7), async (byte, bit) => {
        const changed = new Uint8Array(Buffer.from(signature, "base64"));
        changed[byte]! ^= 1 << bit;
        await refused(MANIFEST, base64(changed));
      }),
      { numRuns: 64 },
    );
  });

  test("any text as signature or key is refused as an invalid signature, never with another error", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), fc.string(), async (signed, key) => {
        const error: unknown = await verifySignature(MANIFEST, signed, key).catch((each: unknown) => each);
        expect(isDistillateError(error) && error.code).toBe("signature-invalid");
      }),
    );
  });
});
