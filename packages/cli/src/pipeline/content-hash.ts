import { createHash } from "node:crypto";

/** SHA-256 of bytes or text, in lower-case hex. */
export function sha256(content: Uint8Array | string): string {
  return createHash("sha256").update(content).digest("hex");
}

/**
 * JSON with object keys in sorted order, so that equal data gives equal text however it was put together.
 * `undefined` members vanish, as in `JSON.stringify`.
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    typeof member === "object" && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : member,
  );
}

/** The key of a stage: SHA-256 over everything that decides its result. */
export function contentKey(inputs: unknown): string {
  return sha256(canonicalJson(inputs));
}
